"""Tidzam's processes on one machine: started in order, waited for, restarted when broken, ended without a trace.

Supervisor (the library) keeps them alive; the command line uses ``supervision.Supervision`` (docs/processes.md).
"""
