"""`python -m traffic_assets` and spark-submit: the command line."""

from traffic_assets.cli import main

if __name__ == "__main__":
    main()
