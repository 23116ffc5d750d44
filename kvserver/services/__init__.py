"""What the parts of a node offer each other, by type; the whole list of who may reach whom is in this folder.

`offers` are the Protocols (access control, administration, scripting, persistence, replication, TLS), `signals`
the notifications, `contributions` the lists to which parts add (INFO, DEBUG, metrics, readiness), `alone` the
answers where a part isn't there. `Services` collects them; a node has one, and handlers reach it through the
engine. Nothing here knows a shell, or how any of it is done.
"""

from kvserver.services.collected import Services

__all__ = ["Services"]
