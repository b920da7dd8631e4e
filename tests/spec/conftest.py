"""How the property tests of the standards run: the same inputs each time, on a busy machine too."""

from hypothesis import settings

settings.register_profile("finial", deadline=None, derandomize=True, database=None)
settings.load_profile("finial")
