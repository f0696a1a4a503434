"""The program that forks the processes in which model-written code runs.

It is started by `exec` in a clean environment under the top-level name `zygote`, so it imports only its own modules of
this project, by relative imports.
"""
