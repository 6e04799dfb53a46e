# SPDX-License-Identifier: GPL-3.0-or-later
"""Heavy pieces of work, one per module, that a protocol queues and a script calls: ``python -m stadyn NAME ...``.

Each module offers ``add_arguments(parser)`` and ``run(args)``; `InputError` ends a run with one sentence and code 1.
"""
