"""AWS's control planes, as moto serves them, on a free port of the loopback interface.

Every request is first held against AWS's own model of its service, as botocore has it: members,
types, enumerations, lengths and patterns. One that breaks it is answered with 400 ModelViolation,
which no client tries again. moto itself takes almost anything.

What was asked for can be read at /asked, because moto does not keep all of it. /refuse?N,before makes
one request fail when N others were answered; /refuse?N,after does so when it has had its effect.

Prints the port, then serves until its standard input ends: it does not outlive the test.
"""

import json
import re
import sys
from io import BytesIO
from threading import Thread

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from moto.ecs.models import EC2ContainerServiceBackend
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

services = ("ecs", "servicediscovery", "ssm", "dynamodb")
loader = Loader()
models = {
    model.metadata["targetPrefix"]: model
    for model in (
        ServiceModel(loader.load_service_model(name, "service-2"), name)
        for name in services
    )
}
validator = ParamValidator()


def breaches(shape, value, path):
    """What the validator does not look at."""
    if shape.type_name == "structure":
        for name, member in (value or {}).items():
            if name in shape.members:
                yield from breaches(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        yield from length(shape, value, path)
        for at, member in enumerate(value):
            yield from breaches(shape.member, member, f"{path}[{at}]")
    elif shape.type_name == "map":
        for name, member in value.items():
            yield from breaches(shape.value, member, f"{path}.{name}")
    elif shape.type_name == "string":
        allowed = shape.metadata.get("enum")
        if allowed and value not in allowed:
            yield f"{path}: {value} is none of {', '.join(allowed)}"
        yield from length(shape, value, path)
        pattern = shape.metadata.get("pattern")
        if pattern and not matches(pattern, value):
            yield f"{path}: {value} does not match {pattern}"


def matches(pattern, value):
    try:
        return re.search(pattern, value)
    except re.error:
        # Java's classes of Unicode, which Python's expressions have not: of tags only.
        return "\\p{" in pattern


def length(shape, value, path):
    most = shape.metadata.get("max")
    if most is not None and len(value) > most:
        yield f"{path} is longer than {most}"


def violation(target, body):
    prefix, _, operation = target.partition(".")
    model = models.get(prefix)
    if model is None:
        return f"{target} is of no service that is known here"
    if operation not in model.operation_names:
        return f"{operation} is none of {prefix}"
    shape = model.operation_model(operation).input_shape
    value = json.loads(body or b"{}")
    report = validator.validate(value, shape)
    if report.has_errors():
        return report.generate_report()
    return "; ".join(breaches(shape, value, operation))


list_services = EC2ContainerServiceBackend.list_services


def list_services_that_are_there(self, *args, **kwargs):
    """Those that were deleted are not listed by ECS; moto lists them."""
    arns = list_services(self, *args, **kwargs)
    there = {service.arn for service in self.services.values() if service.status == "ACTIVE"}
    return [arn for arn in arns if arn in there]


def list_active_families(self, family_prefix=None):
    """Asked for active families, ECS lists those with an active definition; moto lists all."""
    for family, definitions in self.task_definitions.items():
        is_active = any(each.status == "ACTIVE" for each in definitions.values())
        if is_active and family.startswith(family_prefix or ""):
            yield family


EC2ContainerServiceBackend.list_services = list_services_that_are_there
EC2ContainerServiceBackend.list_task_definition_families = list_active_families
moto = DomainDispatcherApplication(create_backend_app)


asked = []
# How many requests are answered before one is not.
refusing = {"after": None, "effect": False}


def told(start_response, answer):
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps(answer).encode()]


def refuses():
    if refusing["after"] is None:
        return False
    refusing["after"] -= 1
    if refusing["after"] >= 0:
        return False
    refusing["after"] = None
    return True


def application(environ, start_response):
    if environ["PATH_INFO"] == "/asked":
        return told(start_response, asked)
    if environ["PATH_INFO"] == "/refuse":
        after, effect = environ["QUERY_STRING"].split(",")
        refusing.update(after=int(after), effect=effect == "after")
        return told(start_response, "")
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target is None:
        return moto(environ, start_response)
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    asked.append([target, json.loads(body or b"{}")])
    fault = violation(target, body)
    if fault:
        return refused(start_response, "ModelViolation", f"{target}: {fault}")
    if not refuses():
        return moto(environ, start_response)
    if refusing["effect"]:
        list(moto(environ, lambda *_: None))
    return refused(start_response, "Planted", target)


def refused(start_response, kind, message):
    start_response("400 Bad Request", [("content-type", "application/x-amz-json-1.1")])
    return [json.dumps({"__type": kind, "message": message}).encode()]


server = make_server(
    "127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler
)
Thread(target=server.serve_forever, daemon=True).start()
print(f"listening on {server.server_address[1]}", flush=True)
sys.stdin.read()
