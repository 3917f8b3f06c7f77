"""``deepdream studio``: the page."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import command, model_arguments


def add(commands: Any) -> None:
    """Add the command's parser."""
    parser = command(
        commands, "studio", run, "dream in the browser: a page on this machine",
        "deepdream studio",
        "deepdream studio --library ~/Pictures/dreams",
        "deepdream studio --host 0.0.0.0 --allow local   # from a phone in the same room",
    )  # fmt: skip
    parser.add_argument(
        "--library", metavar="FOLDER",
        help="where pictures and dreams are kept (default: the user's folder for data of programs)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=int, default=8000, metavar="N", help="of the address; 0 for any that is "
        "free (default: 8000)",
    )  # fmt: skip
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="the address to listen on; another than this machine's own needs --allow "
        "(default: 127.0.0.1)",
    )  # fmt: skip
    parser.add_argument(
        "--allow", action="append", default=[], metavar="WHO",
        help="who can come in besides this machine: local for devices in the same local networks, "
        "or a network as 192.168.1.0/24; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address and open no browser"
    )
    model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from ..studio.serve import serve

    network = {"model": args.model, "caffemodel": args.weights, "mean": args.mean,
               "engine": args.engine, "device": args.device}  # fmt: skip
    serve(
        library=args.library,
        host=args.host,
        port=args.port,
        allow=args.allow,
        network=network,
        browser=not args.no_browser,
        say=lambda text: print(text, flush=True),
    )
    return 0
