# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation matrices and the Euler angles of Dynamo, RELION and AV3; errors between poses.

Inside stadyn a rotation is a (3, 3) matrix R that turns the reference frame into
the tomogram frame. Dynamo's angles describe the inverse,
``E = Rz(narot) @ Rx(tilt) @ Rz(tdrot)``, particle -> reference, so ``R = E.T``.
"""

import numpy as np
from scipy.spatial.transform import Rotation


def matrices_from_dynamo(tdrot_deg, tilt_deg, narot_deg):
    """(n, 3, 3) rotations reference -> tomogram from Dynamo's ZXZ angles, degrees each (n,)."""
    angles = np.stack(np.broadcast_arrays(tdrot_deg, tilt_deg, narot_deg), axis=-1)
    flat = Rotation.from_euler("zxz", angles.reshape(-1, 3), degrees=True).as_matrix()
    return np.swapaxes(flat, -1, -2).reshape(angles.shape[:-1] + (3, 3))


def dynamo_from_matrices(rotations):
    """Dynamo's (tdrot, tilt, narot) in degrees, each (n,), of (n, 3, 3) rotations reference -> tomogram.

    Where tilt is 0 or 180 only a sum of the other two is defined; tdrot is then 0.
    """
    # Contiguous, because NumPy's vector and scalar loops differ in the last bit, and tables must repeat exactly.
    e = np.moveaxis(np.asarray(rotations, float), (-1, -2), (0, 1)).copy()
    # atan2 of both parts keeps full precision near the poles, where arccos loses half its digits.
    sine = np.hypot(e[2, 0], e[2, 1])
    tilt = np.arctan2(sine, e[2, 2])
    pole = sine < 1e-9
    tdrot = np.where(pole, 0.0, np.arctan2(e[2, 0], e[2, 1]))
    narot = np.where(pole, np.arctan2(e[1, 0], e[0, 0]), np.arctan2(e[0, 2], -e[1, 2]))
    return np.degrees(tdrot), np.degrees(tilt), np.degrees(narot)


def matrices_from_relion(rot_deg, tilt_deg, psi_deg):
    """(n, 3, 3) rotations reference -> tomogram from RELION's ZYZ angles, degrees each (n,).

    RELION's ``Rz(rot) @ Ry(tilt) @ Rz(psi)`` takes the particle to the reference,
    as Dynamo's E does, so here too the rotation is its transpose.
    """
    angles = np.stack(np.broadcast_arrays(rot_deg, tilt_deg, psi_deg), axis=-1)
    flat = Rotation.from_euler("ZYZ", angles.reshape(-1, 3), degrees=True).as_matrix()
    return np.swapaxes(flat, -1, -2).reshape(angles.shape[:-1] + (3, 3))


def relion_from_matrices(rotations):
    """RELION's (rot, tilt, psi) in degrees, each (n,) within -180 to 180, of (n, 3, 3) rotations reference -> tomogram.

    ``rot = narot - 90``, ``psi = tdrot + 90``: the x axis of Dynamo's tilt is a quarter turn from RELION's y axis.
    """
    tdrot, tilt, narot = dynamo_from_matrices(rotations)
    return _wrapped(narot - 90.0), tilt, _wrapped(tdrot + 90.0)


def matrices_from_av3(phi_deg, theta_deg, psi_deg):
    """(n, 3, 3) rotations reference -> tomogram from angles of AV3, TOM, PyTom, STOPGAP and PEET, degrees, (n,) each.

    ``R = Rz(psi) @ Rx(theta) @ Rz(phi)``, so phi = -narot, theta = -tilt, psi = -tdrot.
    """
    return matrices_from_dynamo(-np.asarray(psi_deg, float), -np.asarray(theta_deg, float), -np.asarray(phi_deg, float))


def av3_from_matrices(rotations):
    """AV3's (phi, theta, psi) in degrees, each (n,), theta within 0 to 180, of (n, 3, 3) rotations."""
    tdrot, tilt, narot = dynamo_from_matrices(rotations)
    # (phi, -theta, psi) is (phi + 180, theta, psi + 180): packages expect theta from 0 to 180.
    return _wrapped(180.0 - narot), tilt, _wrapped(180.0 - tdrot)


def _wrapped(angle_deg):
    """The same angles within (-180, 180]."""
    return 180.0 - (180.0 - np.asarray(angle_deg, float)) % 360.0


def rotation_z(angle_deg):
    """(..., 3, 3) right-handed rotations about z."""
    a = np.radians(np.asarray(angle_deg, float))
    c, s, o, one = np.cos(a), np.sin(a), np.zeros_like(a), np.ones_like(a)
    return np.stack([np.stack([c, -s, o], -1), np.stack([s, c, o], -1), np.stack([o, o, one], -1)], -2)


def rotation_vectors_to_matrices(vectors):
    """(n, 3, 3) rotations from (n, 3) axis-times-angle vectors in radians."""
    return Rotation.from_rotvec(np.asarray(vectors, float)).as_matrix()


def rotations_from_normals(normals, azimuth_deg=0.0):
    """(n, 3, 3) rotations reference -> tomogram whose z axis is `normals` (n, 3).

    ``tdrot = atan2(nx, ny)``, ``tilt = acos(nz)``; the azimuth is Dynamo's narot.
    """
    normals = np.asarray(normals, float)
    normals = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
    x, y, z = np.moveaxis(normals, -1, 0).copy()  # contiguous: see `dynamo_from_matrices`
    tdrot = np.degrees(np.arctan2(x, y))
    tilt = np.degrees(np.arctan2(np.hypot(x, y), z))
    return matrices_from_dynamo(tdrot, tilt, azimuth_deg)


def randomize_azimuth(rotations, rng):
    """Turn each of (n, 3, 3) rotations by a uniform random angle about the reference's z: narot only."""
    return rotations @ rotation_z(rng.uniform(0.0, 360.0, len(rotations)))


def axis_errors_deg(rotations, others):
    """(n,) angle between the z axes of two sets of rotations."""
    a, b = rotations[..., :, 2], others[..., :, 2]
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), np.sum(a * b, -1)))


def inplane_errors_deg(rotations, others, order=1):
    """(n,) rotation about z that is left once the axes are brought together, modulo 360/order, signed."""
    relative = np.swapaxes(others, -1, -2) @ rotations
    # Swing-twist decomposition: the twist of `relative` about z.
    twist = np.degrees(np.arctan2(relative[..., 1, 0] - relative[..., 0, 1], relative[..., 0, 0] + relative[..., 1, 1]))
    period = 360.0 / order
    return (twist + period / 2) % period - period / 2
