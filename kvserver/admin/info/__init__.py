"""INFO: sections of fields, from providers of this package and of others.

The order of the sections is Redis's; a section is shown when it is asked for by name, by `all` (everything
except the modules), by `everything`, or by default.
"""

from kvserver.admin.info.render import HANDLERS, render

__all__ = ["HANDLERS", "render"]
