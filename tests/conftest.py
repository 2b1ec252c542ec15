"""What every test can ask for. Fixtures live in modules of their own subject and are named here."""

pytest_plugins = ["tests.databases"]
