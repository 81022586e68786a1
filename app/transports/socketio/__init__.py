"""Socket.IO: the same verbs as over HTTP."""
