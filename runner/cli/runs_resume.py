"""`runner runs resume ID`: goes on with a run where it stopped."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from runner import plan as plans
from runner import project as projects
from runner.cli import checked, engine_runs, engines, histories, logs, running, workflow_inputs
from runner.cli.output import Output
from runner.cli.person import agree
from runner.cli.unknown_writes import agree_to_send_again
from runner.errors import Exit, UsageError
from runner.frozen import dataclass
from runner.inputs import read_inputs
from runner.plan import Plan
from runner.project import Project
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.history.runs import History, Run

EXAMPLES = (
    "runner runs resume 20260131T070000-1a2b3c4d",
    "runner runs resume 1a2b --retry-unknown --report junit=report.xml",
    "RUNNER_INPUT_KEY=... runner runs resume 1a2b --with-current-files",
)


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("id", metavar="ID", help="id of the run, or the beginning of it, or of its last part")
    parser.add_argument(
        "--retry-unknown",
        action="store_true",
        help="send again what may have been done already: writes that were in flight when the run was killed",
    )
    parser.add_argument(
        "--with-current-files",
        action="store_true",
        help="go on with the files as they are now, not as they were; shows what changed in them first",
    )
    parser.add_argument("--yes", action="store_true", help="with --with-current-files: do not ask")
    parser.add_argument(
        "--input-file",
        metavar="FILE",
        help="secret inputs, which are not in the history, from a JSON or YAML file; - is standard input (or RUNNER_INPUT_NAME)",
    )
    running.add_options(parser)
    histories.add_state(parser)
    engines.add(parser, "the server that it runs on")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Find the run, see what stands against it, go on."""
    from runner.history import locks
    from runner.history.keeper import Keeper
    from runner.history.runs import busy

    logs.install(output)
    address = engines.chosen(options, settings)
    if address is not None:
        return engine_runs.resume(options, settings, output, address)
    with ExitStack() as held:
        history = held.enter_context(histories.existing(settings))
        found = histories.find(history, options.id)
        assert history is not None
        if found.status == "succeeded":
            output.say(f"the run {found.id} has succeeded: nothing is left to do")
            return 0
        lock = locks.take_run(history.state, found.id)
        if lock is None:
            raise busy(found)
        keeper = held.enter_context(Keeper(history, commit=None, resumed=(found, lock)))
        found = history.find(found.id)  # somebody else may have gone on with it before the lock was ours
        if found.status == "succeeded":
            output.say(f"the run {found.id} has succeeded: nothing is left to do")
            return 0
        resume = _Resume(options=options, settings=settings, output=output, history=history, run=found)
        made = resume.prepared()
        if made is None:
            return int(Exit.PROJECT)
        project, plan = made
        resume.clear_the_way(project, plan)
        if settings.github_actions:
            output.redactor.watch(output.mask)

        files = held.enter_context(running.reports_open(options, settings))
        output.say(f"resuming {found.id}: {found.workflow}, which {_was(found.status)}")
        going = running.Going(
            project=project,
            plan=plan,
            settings=settings,
            output=output,
            timeout=options.timeout,
            state=history.state,
            keeper=keeper,
        )
        return going.carry_out(files)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resume:
    """A run to go on with, and what the command line says about it."""

    options: argparse.Namespace
    settings: Settings
    output: Output
    history: "History"
    run: "Run"

    def prepared(self) -> tuple[Project, Plan] | None:
        """Give the project as it was, or as it is where that is wanted, and the plan; None where it has errors."""
        data = workflow_inputs.read_file(self.options.input_file, self.settings)
        project = self._project()
        if project is None:
            return None
        run = self.run
        workflow = plans.find_workflow(project, run.workflow)
        given = {name: value for name, value in run.facts["inputs"].items() if name in workflow.inputs}
        again = [name for name in run.facts["again"] if name in workflow.inputs]
        for name in data or {}:
            if name not in again:
                raise UsageError(
                    f"the input '{name}' cannot be given again: a resumed run has the inputs that it had",
                    help=f"those to be given: {', '.join(again) or 'none'}; start a new run for other inputs",
                )
        environ = {
            name: value
            for name, value in self.settings.environ.items()
            if name in {f"RUNNER_INPUT_{each.upper()}" for each in again}
        }
        inputs = read_inputs(workflow, (), {**given, **(data or {})}, environ)
        with checked.showing(project, self.output):
            plan = plans.resolve(project, workflow.name, inputs=inputs, user=run.facts["user"])
        return project, plan

    def _project(self) -> Project | None:
        run, settings = self.run, self.settings
        root = projects.find(Path(settings.project) if settings.project else None, settings.cwd)
        environment = run.facts["environment"]
        documents = self.history.documents(run.digest)
        before = projects.load(
            root, environment=environment, files={path: text.encode("utf-8", "surrogatepass") for path, text in documents.items()}
        )  # fmt: skip
        after = projects.load(root, environment=environment)
        if dict(after.texts) == documents:
            chosen = before
        elif self.options.with_current_files:
            self._agree_to_files(before, after)
            chosen = after
        else:
            changed = sorted(p for p in {*documents, *after.texts} if documents.get(p) != after.texts.get(p))
            self.output.say(
                f"the files have changed since the run began ({', '.join(changed[:5])}"
                f"{', ...' if len(changed) > 5 else ''}): it goes on with those that it had; "
                "--with-current-files takes the new ones"
            )
            chosen = before
        from runner.check import check

        return chosen if checked.show(chosen, check(chosen), self.output) else None

    def _agree_to_files(self, before: Project, after: Project) -> None:
        """Show what the new files change, and ask."""
        from runner import reports
        from runner.compare import compare

        compared = compare(before, after, names=("the run's files", "working tree"))
        self.output.error(
            reports.render("text", "diff", compared, color=self.output.error_color).rstrip("\n")
        )
        if not self.options.yes:
            agree(
                "go on with the working tree, and not with the run's files?",
                self.output,
                nobody="nobody is there to agree to the changed files",
                help="add --yes, after reading the change",
            )

    def clear_the_way(self, project: Project, plan: Plan) -> None:
        """See what stands against a resume: outcomes that nobody knows, outputs that nobody has any more."""
        from runner.history.keys import lacking

        missing = lacking(project, plan.workflow, self.history.steps(self.run.number, "done"))
        if missing:
            listed = "; ".join(f"'{key}' ({why})" for key, why in missing[:5])
            raise UsageError(
                f"the run cannot go on: what it needs is not in the history, and to do it again may do harm: {listed}",
                help="start a new run; `idempotent: true` says of an action that repeating it is harmless",
            )
        unknown = [step for step in self.history.steps(self.run.number, "started", "unknown") if step.unknown]
        if unknown and not self.options.retry_unknown:
            agree_to_send_again([step.key for step in unknown], self.output)
        if unknown:
            self.history.give_up(self.run.number, [step.key for step in unknown])


def _was(status: str) -> str:
    words = {
        "running": "was killed",
        "crashed": "was killed",
        "timed-out": "timed out",
        "failed": "failed",
        "skipped": "was skipped",
    }
    return words.get(status, f"was {status}")
