"""The manifests in deploy/: valid by Kubernetes' own schemas, and what docs/guide/kubernetes.md says of them. Then some are broken on purpose,
and each fault must be found."""

import functools
import os
import pathlib
import re
import subprocess
import sys

import jsonschema
import kubernetes_validate
import yaml

# Megabytes of them, the same ones each time.
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)

PROGRAM = os.environ["MOCK_DATA_GEN"]
# The oldest release in which all that the manifests use is stable, and the newest that the validator knows.
RELEASES = ["1.34", kubernetes_validate.latest_version()]
FAILS_THE_JOB, RETRIED = {2, 4}, {3, 5}
STOP_SECONDS = 5


class Loader(yaml.SafeLoader):
    """YAML's last of two equal keys would win without a word."""


def mapping(loader, node):
    keys = [loader.construct_object(key) for key, _ in node.value]
    if len(keys) != len(set(keys)):
        raise yaml.constructor.ConstructorError(None, None, f"a key twice in {keys}", node.start_mark)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)


def load(text):
    return yaml.load(text, Loader=Loader)


def problems_of_schema(manifest):
    for release in RELEASES:
        try:
            kubernetes_validate.validate(manifest, release, strict=True)
        except (jsonschema.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            yield f"Kubernetes {release}: {error.message}"


def container(manifest):
    (only,) = manifest["spec"]["template"]["spec"]["containers"]
    return only


def problems_of_pods(manifest):
    """What every Pod of ours is."""
    pod, inside = manifest["spec"]["template"]["spec"], container(manifest)
    if pod.get("terminationGracePeriodSeconds", 30) <= STOP_SECONDS:
        yield f"the program may need {STOP_SECONDS} s to end"
    security = pod.get("securityContext", {}) | inside.get("securityContext", {})
    wanted = {"runAsNonRoot": True, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
              "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}
    for name, value in wanted.items():
        if security.get(name) != value:
            yield f"{name} is not {value}"
    if not security.get("runAsUser"):
        yield "the user is root"
    if pod.get("automountServiceAccountToken", True) or pod.get("enableServiceLinks", True):
        yield "a token or variables that nobody asked for"
    probe = inside.get("livenessProbe", {}).get("exec", {}).get("command", [])
    if probe != ["mock-data-gen", "health"]:
        yield "liveness is not the program's own health"
    if not {"requests", "limits"} <= inside.get("resources", {}).keys():
        yield "no resources"


def problems_of_deployment(manifest):
    spec = manifest["spec"]
    if (spec.get("replicas"), spec.get("strategy", {}).get("type")) != (1, "Recreate"):
        yield "two writers may run at once"
    if not spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items():
        yield "the selector finds other Pods than the template's"
    if container(manifest).get("readinessProbe", {}).get("exec", {}).get("command", [])[-1:] != ["http://127.0.0.1:8080/readyz"]:
        yield "readiness is not /readyz"


def problems_of_job(manifest):
    spec, args = manifest["spec"], container(manifest).get("args", [])
    workers = {spec.get("completions"), spec.get("parallelism")}
    if spec.get("completionMode") != "Indexed" or args[-2:] != ["--shard", f"$(JOB_COMPLETION_INDEX)/{min(workers)}"] or len(workers) > 1:
        yield "the workers are not the shards"
    if "--from" not in args or args[args.index("--from") + 1] == "now":
        yield "workers may not agree on the start"
    if spec["template"]["spec"].get("restartPolicy") != "Never":
        yield "a failure policy needs restartPolicy Never"
    rules = spec.get("podFailurePolicy", {}).get("rules", [])
    codes = lambda action: {code for rule in rules if rule["action"] == action for code in rule.get("onExitCodes", {}).get("values", [])}
    if codes("FailJob") != FAILS_THE_JOB or not RETRIED <= codes("Count") or not spec.get("backoffLimit"):
        yield "exit codes are not met as they are documented"


def problems_of_variables(manifests):
    """Each variable is one that the program knows, and each workload's configuration is one that it takes."""
    known = set(re.findall(r"\[env: (\w+)", subprocess.run([PROGRAM, "--help"], check=True, capture_output=True, text=True).stdout))
    shared = manifests["config.yaml"]["data"] | {}
    given = shared | manifests["secret.example.yaml"]["stringData"]
    # Properties of the Kafka client are judged where Kafka is written; nobody is asked for the embedded broker.
    properties = [f"-X{variable[10:].lower().replace('_', '.')}={value}" for variable, value in given.items() if variable.startswith("MDG_KAFKA_")]
    embedded = [PROGRAM, "check", "--bootstrap-servers", "embedded", "--fast", "--count", "1"]
    check = subprocess.run([*embedded, *properties], env={}, capture_output=True, text=True)
    if check.returncode:
        yield f"the program refuses a property: {check.stderr}"
    for name in ["live.yaml", "backfill.yaml"]:
        inside = container(manifests[name])
        if inside.get("command"):
            yield f"{name}: the image's own entry point is the program"
        own = {variable["name"]: variable["value"] for variable in inside["env"]}
        for variable in given | own:
            if variable not in known and not variable.startswith("MDG_KAFKA_"):
                yield f"{name}: the program has no variable {variable}"
        args = [arg.replace("$(JOB_COMPLETION_INDEX)", "0") for arg in inside.get("args", [])]
        check = subprocess.run([PROGRAM, "check", "--sink", "null", *args], env=shared | own, capture_output=True, text=True)
        if check.returncode:
            yield f"{name}: the program refuses it: {check.stderr}"


def problems(manifests, look_at):
    """Of some of the manifests. Only what is valid is looked at further."""
    found = [f"{name}: {problem}" for name in look_at for problem in problems_of_schema(manifests[name])]
    if found:
        return found
    for name in look_at:
        own = {"Deployment": problems_of_deployment, "Job": problems_of_job}.get(manifests[name]["kind"])
        if own:
            found += [f"{name}: {problem}" for rules in (problems_of_pods, own) for problem in rules(manifests[name])]
    return found + list(problems_of_variables(manifests))


# A file, what is replaced in it by what, and a word of the problem that must be found.
FAULTS = [
    # By Kubernetes' schemas.
    ("live.yaml", "terminationGracePeriodSeconds", "terminationGracePeriodSecond", "terminationGracePeriodSecond'"),
    ("live.yaml", "replicas: 1", 'replicas: "1"', "'1'"),
    ("live.yaml", "apps/v1", "apps/v2", "Couldn't find schema"),
    ("live.yaml", "  selector:\n", "  selectors:\n", "selector"),
    ("live.yaml", "value: 0.0.0.0:8080", "value: 8080", "8080"),
    ("live.yaml", "drop: [ALL]", "drop: ALL", "ALL"),
    ("live.yaml", "containerPort: 8080", "containerPort: http", "http"),
    ("backfill.yaml", "values: [2, 4]", 'values: ["2", "4"]', "'2'"),
    ("backfill.yaml", "          operator: In\n", "", "operator"),
    ("backfill.yaml", "action: FailJob", "actions: FailJob", "action"),
    ("backfill.yaml", "completions: 3", "completion: 3", "completion'"),
    ("config.yaml", 'MDG_SEED: "42"', "MDG_SEED: 42", "42"),
    ("secret.example.yaml", "stringData:", "strings:", "strings"),
    # By the rules above.
    ("live.yaml", "type: Recreate", "type: RollingUpdate", "two writers"),
    ("live.yaml", "replicas: 1", "replicas: 2", "two writers"),
    ("live.yaml", "GracePeriodSeconds: 10", "GracePeriodSeconds: 5", "need 5 s"),
    ("live.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem"),
    ("live.yaml", "command: [mock-data-gen, health]", "command: [curl, localhost]", "liveness"),
    ("live.yaml", "        app.kubernetes.io/component: live\n    spec", "        app.kubernetes.io/component: life\n    spec", "selector"),
    ("live.yaml", "name: MDG_LISTEN", "name: MDG_LISTENS", "no variable MDG_LISTENS"),
    ("config.yaml", 'WIN_RATE: "0.15"', 'WIN_RATE: "15"', "refuses"),
    ("secret.example.yaml", "SASL_MECHANISM", "SASL_MECHANIZM", "sasl.mechanizm"),
    ("config.yaml", "MDG_SEED:", 'MDG_KAFKA_ACKS: "1"\n  MDG_SEED:', "acks"),
    ("backfill.yaml", "restartPolicy: Never", "restartPolicy: OnFailure", "restartPolicy"),
    ("backfill.yaml", "values: [2, 4]", "values: [2]", "exit codes"),
    ("backfill.yaml", "completions: 3", "completions: 4", "shards"),
    ("backfill.yaml", "(JOB_COMPLETION_INDEX)/3", "(JOB_COMPLETION_INDEX)/4", "shards"),
    ("backfill.yaml", '"--from", "2026-01-01T00:00:00Z"', '"--from", "now"', "start"),
    ("backfill.yaml", '"--duration", "24h"', '"--duration", "24"', "refuses"),
]


def main():
    texts = {path.name: path.read_text() for path in sorted(pathlib.Path("deploy").glob("*.yaml"))}
    manifests = {name: load(text) for name, text in texts.items()}
    found = problems(manifests, manifests)
    if found:
        sys.exit("\n".join(found))
    print(f"deploy/: {len(manifests)} manifests are valid for Kubernetes {' and '.join(RELEASES)}, strictly, and keep our rules")

    for name, old, new, word in FAULTS:
        assert old in texts[name], (name, old)
        broken = manifests | {name: load(texts[name].replace(old, new, 1))}
        found = problems(broken, [name])
        assert any(word in problem for problem in found), f"{name} with {new!r} for {old!r}: {found}"
    try:
        load("a: 1\na: 2\n")
        sys.exit("a key may stand twice")
    except yaml.constructor.ConstructorError:
        pass
    print(f"deploy/: all of {len(FAULTS) + 1} faults are found")


if __name__ == "__main__":
    main()
