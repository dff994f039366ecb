"""The command line: parse, call, write. Exit 0: all done; 1: some inputs failed; 2: bad usage."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from photo2anime import __version__
from photo2anime.commands.batch import add_batch_command
from photo2anime.commands.config import apply_settings, print_config, read_settings
from photo2anime.commands.entry import WELCOME, completed
from photo2anime.commands.paint import add_paint_command
from photo2anime.commands.parser import Parser
from photo2anime.commands.publish import add_publish_commands
from photo2anime.commands.serve import add_serve_command
from photo2anime.commands.train import add_train_commands
from photo2anime.commands.video import add_video_commands
from photo2anime.extras import need
from photo2anime.types import Photo2AnimeError

_stops: list[int] = []  # exit codes of the signals that came


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    try:
        _stops.clear()
        _prepare_process()
        words = list(sys.argv[1:] if arguments is None else arguments)
        if not words:
            sys.stdout.write(WELCOME)
            return 0
        parser, commands = parser_and_commands()
        settings = read_settings(os.environ)
        apply_settings(commands, settings)
        args = parser.parse_args(completed(words, commands))
        args.settings = settings
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except Photo2AnimeError as error:
        print(f"photo2anime: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return _stopped(130)
    except BrokenPipeError:  # the reader of our output has gone, as in `| head`
        _close_stdout()
        return 1
    except OSError as error:  # what is left: standard output itself cannot be written
        _close_stdout()
        print(f"photo2anime: cannot write the output ({error})", file=sys.stderr)
        return 1
    except Exception:  # a signal in the middle of an import comes out as ImportError, SystemError, ...
        if not _stops:
            raise
        return _stopped(_stops[-1])


def _stopped(code: int) -> int:
    _ignore_interrupts()  # whoever is impatient presses again
    if code == 130:
        print("photo2anime: stopped", file=sys.stderr)
    return code


def _prepare_process() -> None:
    """Prepares for closed streams, terminals with few letters, and SIGTERM, before anything else."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
        signal.signal(signal.SIGINT, _interrupt)
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", category=UserWarning)  # libraries' asides; ours are lines of their own


def _interrupt(*_: object) -> None:
    _stops.append(130)
    raise KeyboardInterrupt


def _terminate(*_: object) -> None:
    """Raises SystemExit, so that temporary files are removed."""
    _ignore_interrupts()
    _stops.append(143)
    sys.exit(143)


def _ignore_interrupts() -> None:
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _close_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def parser_and_commands() -> tuple[ArgumentParser, dict[str, ArgumentParser]]:
    """The parser, and those of the commands by name."""
    parser: ArgumentParser = Parser(prog="photo2anime", description="Turns photos and videos into anime, offline.")
    parser.add_argument("-V", "--version", action="version", version=f"photo2anime {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_paint_command(commands)
    add_video_commands(commands)
    add_batch_command(commands)
    add_serve_command(commands)
    styles = commands.add_parser("styles", help="list the installed styles")
    styles.add_argument("--json", action="store_true", help="one JSON object a line")
    styles.set_defaults(run=_styles)
    doctor = commands.add_parser("doctor", help="check this installation and say what to mend")
    doctor.set_defaults(run=_doctor)
    config = commands.add_parser("config", help="show the settings that hold, and where they come from")
    config.set_defaults(run=print_config)
    completion = commands.add_parser("completion", help="print a script that completes commands in a shell")
    completion.add_argument("shell", choices=("bash", "zsh", "fish", "tcsh"), help="the shell it is for")
    completion.set_defaults(run=_completion)
    add_train_commands(commands)
    add_publish_commands(commands)
    for listed in commands._choices_actions:  # a command's --help says at least what the list of commands says
        command = commands.choices[listed.dest]
        command.description = command.description or f"{str(listed.help)[:1].upper()}{str(listed.help)[1:]}."
    return parser, dict(commands.choices)


def _completion(args: Namespace) -> int:
    need("completion", "completion", "shtab")
    import shtab

    parser, commands = parser_and_commands()
    for action in (action for command in commands.values() for action in command._actions):
        if action.nargs != 0 and action.type is None and not action.choices:  # a file's name, or at least never wrong
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell=args.shell))
    return 0


def _styles(args: Namespace) -> int:
    from photo2anime.styles import list_styles

    for card in list_styles().values():
        if args.json:
            import json
            from dataclasses import asdict

            print(json.dumps(asdict(card)))
        else:
            print(f"{card.name:<12} {card.description}\n{'':<12} licence: {card.license}")
    return 0


def _doctor(args: Namespace) -> int:
    from photo2anime.commands.doctor import examine

    healthy = True
    for finding in examine():
        print(finding.line)
        if finding.mend:
            print(f"    mend: {finding.mend}")
            healthy = False
    return 0 if healthy else 1
