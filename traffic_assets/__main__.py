"""`python -m traffic_assets` and spark-submit: the command line."""

from traffic_assets.cli.app import main

if __name__ == "__main__":
    main()
