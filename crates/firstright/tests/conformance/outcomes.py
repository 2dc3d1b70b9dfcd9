"""A plugin of pytest that writes how each test ended: `passed`, `failed` or `skipped`, its name, and what it said."""

import os


def pytest_configure(config):
    # The workers tell the process that divides the tests among them, and that one writes.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(os.environ["FIRSTRIGHT_OUTCOMES"]))


class Outcomes:
    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")

    def pytest_runtest_logreport(self, report):
        # A test is set up, called and torn down; it has ended with its call unless another part of it failed.
        if report.when != "call" and report.outcome == "passed":
            return
        said = str(getattr(report.longrepr, "reprcrash", "") or "").replace("\n", " ")[:600]
        self.file.write(f"{report.outcome}\t{report.nodeid}\t{said}\n")

    def pytest_sessionfinish(self):
        self.file.close()
