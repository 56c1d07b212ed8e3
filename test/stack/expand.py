"""Expands template.yaml as CloudFormation would, for one partition, and prints it.

Usage: expand.py TEMPLATE REGION. Nothing is asked of any account: the policies of AWS that a
template may name are looked up in a list that comes with this project, which is empty, because
every role here is written by hand.
"""

import json
import os
import re
import sys

os.environ["AWS_DEFAULT_REGION"] = sys.argv[2]

import yaml  # noqa: E402  (the region decides the partition when the translator is loaded)
from samtranslator.parser.parser import Parser  # noqa: E402
from samtranslator.translator.translator import Translator  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

with open(sys.argv[1], encoding="utf-8") as f:
    text = f.read()
# What `sam package` or `aws cloudformation package` does: files become objects in a bucket.
text = re.sub(r"CodeUri: dist/(\w+)\.zip", r"CodeUri: s3://artefacts/\1.zip", text)
text = re.sub(r"TemplateURL: infra/(\w+)\.yaml", r"TemplateURL: https://artefacts/\1.yaml", text)
out = Translator({}, Parser()).translate(yaml_parse(text), {"Stage": "prod"})
yaml.safe_dump(json.loads(json.dumps(out)), sys.stdout, width=120, allow_unicode=True)
