"""Runs modules of Python's own test suite; prints a line for each test and its outcome, and nothing that takes a time."""
import io, sys, unittest
from test import support

support.use_resources = {}
support.verbose = False


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__(io.StringIO())
        self.outcomes = {}
        self.details = []

    def startTest(self, test):
        super().startTest(test)
        self.outcomes[test.id()] = 'ok'

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.outcomes[test.id()] = 'skipped'

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.bad(test, 'FAILED')

    def addError(self, test, error):
        super().addError(test, error)
        self.bad(test, 'ERROR')

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.bad(test, 'FAILED')

    def addExpectedFailure(self, test, error):
        super().addExpectedFailure(test, error)
        self.outcomes[test.id()] = 'expected failure'

    def bad(self, test, outcome):
        self.outcomes[test.id()] = outcome
        text = (self.failures + self.errors)[-1][1]
        self.details.append(f'{test.id()}:\n{text}')


def run(module, wanted):
    suite = unittest.defaultTestLoader.loadTestsFromName('test.' + module)
    if wanted:
        suite = unittest.TestSuite(t for t in flatten(suite) if any(w in t.id() for w in wanted))
    result = Result()
    suite.run(result)
    return result


def flatten(suite):
    for test in suite:
        yield from flatten(test) if isinstance(test, unittest.TestSuite) else [test]


if __name__ == '__main__':
    module, *wanted = sys.argv[1:]
    result = run(module, wanted)
    for name in sorted(result.outcomes):
        print(result.outcomes[name], name)
    print(f'{result.testsRun} tests', flush=True)
    if sys.stdin.read().strip() == 'details':
        sys.stderr.write('\n'.join(result.details))
    sys.exit(not result.wasSuccessful())
