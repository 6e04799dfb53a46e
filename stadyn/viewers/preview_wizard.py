# SPDX-License-Identifier: GPL-3.0-or-later
"""What the wizards that show a preview share. It is not in wizards.py, all of whose classes the host offers."""

from pyworkflow.wizard import Wizard

from stadyn.core.errors import InputError


class PreviewWizard(Wizard):
    """Base: a subclass makes a `Preview` from the protocol's form and the parameter it was called for."""

    def preview(self, protocol, name):
        """The Preview; InputError where the form lacks what it needs."""
        raise NotImplementedError

    def show(self, form, *params):
        """Open the preview on a form of the host, and fill in what was chosen."""
        from stadyn.viewers.dialog import PreviewDialog  # needs a display

        try:
            preview = self.preview(form.protocol, form.wizParamName)
        except InputError as error:
            form.showInfo(f"Nothing to show yet: {error}")
            return
        dialog = PreviewDialog(form.root, preview)
        if dialog.resultYes():
            for name, value in preview.chosen(dialog.values).items():
                form.setVar(name, value)
