"""The installation of everything that VidP's build, tests and checks need; `setup.py` is the entry."""
