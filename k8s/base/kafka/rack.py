"""Print the zone of this pod's node, which Kafka calls a rack. Standard library only: it runs in our own service image."""

import json
import os
import ssl
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
request = urllib.request.Request(
    f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}/api/v1/nodes/{os.environ['NODE_NAME']}",
    headers={"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}"},
)
with urllib.request.urlopen(
    request, timeout=10, context=ssl.create_default_context(cafile=ACCOUNT / "ca.crt")
) as answer:
    labels = json.load(answer)["metadata"].get("labels", {})
Path("/rack/zone").write_text(labels.get("topology.kubernetes.io/zone", "unknown"))
