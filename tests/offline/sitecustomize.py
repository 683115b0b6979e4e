"""Python imports a module of this name when it starts: so the processes of the tests obey too."""

import refuse_network  # noqa: F401
