"""What the sections share."""


def same(got, want):
    if got != want:
        raise AssertionError(f"got  {got!r}\nwant {want!r}")
    return got


class Sharp:
    """A call whose error_code must be the given one; absent is None."""

    def __init__(self, code, call):
        self.code, self.call = code, call

    def __call__(self):
        try:
            return self.call()
        except Exception as e:
            same(getattr(e, "error_code", None), self.code)
            raise
