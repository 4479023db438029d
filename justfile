# Shorthands; each works without just, too.

# all that CI runs
check:
    .ci/run

# style, types and who imports whom
lint:
    ./tidzam test --prepare
    .ci/lint

# the tests, e.g. `just test tests/audio`
test *arguments:
    ./tidzam test {{arguments}}
