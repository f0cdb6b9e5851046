"""The typed models of the SDKs of RAM, IMS and STS: their actions, and the members of their answers.

Run by itself, it prints src/sandbox/shapes.txt.
"""

import importlib
import inspect
import re
import typing

from darabonba.model import DaraModel

PACKAGES = {"IMS": "alibabacloud_ims20190815", "RAM": "alibabacloud_ram20150501", "STS": "alibabacloud_sts20150401"}


def members(model):
    """The members of a model on the wire, with the types that its constructor names."""
    source = inspect.getsource(model.to_map)
    attributes = dict(re.findall(r"if self\.(\w+) is not None:\s+result\['([^']+)'\]", source))
    for wire, attribute in re.findall(r"result\['([^']+)'\] = \[\]\s+if self\.(\w+) is not None", source):
        attributes[attribute] = wire
    parameters = inspect.signature(model.__init__).parameters
    return {wire: parameters[attribute].annotation for attribute, wire in attributes.items()}


def tree(annotation, models):
    """What a type holds: a dict by member, a list of one, or the name of a plain type."""
    if isinstance(annotation, str):
        names = {**vars(typing), "str": str, "main_models": models, "models": models}
        return tree(eval(annotation, names), models)
    if typing.get_origin(annotation) is list:
        return [tree(typing.get_args(annotation)[0], models)]
    if inspect.isclass(annotation) and issubclass(annotation, DaraModel):
        return {wire: tree(one, models) for wire, one in members(annotation).items()}
    return annotation.__name__ if inspect.isclass(annotation) else "Any"


def answers(product):
    """The answer of every action of a product."""
    models = importlib.import_module(f"{PACKAGES[product]}.models")
    suffix = "ResponseBody"
    bodies = [name for name in dir(models) if name.endswith(suffix)]
    return {name.removesuffix(suffix): tree(getattr(models, name), models) for name in bodies}


def shape(held):
    """A tree as src/sandbox/shapes.txt has it."""
    if isinstance(held, list):
        return shape(held[0])
    if isinstance(held, str):
        return ""
    return "{" + " ".join(name + shape(one) for name, one in sorted(held.items())) + "}"


def shapes():
    """The lines of src/sandbox/shapes.txt."""
    lines = []
    for product in PACKAGES:
        for action, answer in sorted(answers(product).items()):
            # Every answer has it, and the sandbox adds it to every one.
            assert answer.pop("RequestId") == "str", action
            lines.append(f"{product} {action} {shape(answer)[1:-1]}".rstrip())
    return lines


if __name__ == "__main__":
    print("\n".join(shapes()))
