"""`runner plan WORKFLOW`."""

import argparse

from runner import reports
from runner.cli import checked, workflow_inputs
from runner.cli.output import Output
from runner.errors import Exit
from runner.inputs import read_inputs
from runner.settings import Settings

EXAMPLES = ("runner plan escalate -i days=30", "runner plan escalate --env staging --format json")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    workflow_inputs.add(parser)
    parser.add_argument(
        "--format", metavar="FORMAT", default="text", help="text, json or markdown (default text)"
    )


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Show what a run would send. Inputs that are not given show as known at run time."""
    reports.load(options.format, "plan")
    data = workflow_inputs.read_file(options.input_file, settings)
    project = checked.load_valid(settings, output)
    if project is None:
        return int(Exit.PROJECT)
    from runner import plan as plans

    workflow = plans.find_workflow(project, options.workflow)
    inputs = read_inputs(workflow, options.inputs, data, settings.environ, partial=True)
    plan = plans.resolve(project, workflow.name, inputs=inputs, user=settings.user, partial=True)
    described = plans.describe(project, plan)
    output.data(reports.render(options.format, "plan", described, color=output.color))
    return int(Exit.DONE)
