"""`runner run WORKFLOW`."""

import argparse

from runner import plan as plans
from runner.cli import checked, engine_runs, engines, histories, logs, running, workflow_inputs
from runner.cli.output import Output
from runner.errors import Exit, UsageError
from runner.inputs import read_inputs
from runner.settings import Settings

EXAMPLES = (
    "runner run escalate -i days=14",
    "runner run escalate --env staging --report junit=report.xml --timeout 10m",
    "vault kv get -format=json -field=data secret/inputs | runner run rotate --input-file -",
)


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    workflow_inputs.add(parser)
    running.add_options(parser)
    histories.add_state(parser)
    parser.add_argument(
        "--no-history", action="store_true", help="keep no record of the run: it cannot be resumed"
    )
    engines.add(parser, "run it on the workers of this server")
    parser.add_argument(
        "--detach", action="store_true", help="with --engine: print the id of the run and do not follow it"
    )


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Check, run, show the outputs, write the reports."""
    logs.install(output)
    data = workflow_inputs.read_file(options.input_file, settings)
    project = checked.load_valid(settings, output)
    if project is None:
        return int(Exit.PROJECT)
    workflow = plans.find_workflow(project, options.workflow)
    inputs = read_inputs(workflow, options.inputs, data, settings.environ)
    with checked.showing(project, output):
        plan = plans.resolve(project, workflow.name, inputs=inputs, user=settings.user)
    if settings.github_actions:
        output.redactor.watch(output.mask)
    address = engines.chosen(options, settings)
    if address is not None:
        return engine_runs.submit(options, settings, output, address, project, plan)
    if options.detach:
        raise UsageError(
            "only a run on an engine goes on without this command", help="add --engine, or leave --detach out"
        )

    with (
        running.reports_open(options, settings) as files,
        histories.kept(settings, project.root, wanted=not options.no_history) as keeper,
    ):
        going = running.Going(
            project=project,
            plan=plan,
            settings=settings,
            output=output,
            timeout=options.timeout,
            state=histories.state_of(settings, project.root),
            keeper=keeper,
        )
        return going.carry_out(files)
