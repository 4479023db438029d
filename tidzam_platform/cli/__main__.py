"""``python -m tidzam_platform.cli``: where ./tidzam hands over."""

from tidzam_platform.cli.main import main

main()
