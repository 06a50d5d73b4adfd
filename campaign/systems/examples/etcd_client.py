#!/usr/bin/env python3
"""A client program, a probe and an admin for Rashomon, in Python and without any library: etcd's registers.

    etcd_client.py client ADDRESS PORT TIMEOUT_MS    one line in per operation, one line out per completion
    etcd_client.py probe  ADDRESS PORT TIMEOUT_MS    ten times a second a line with the node's role
    etcd_client.py lead   ADDRESS PORT TIMEOUT_MS HEIR    has this node lead, and ends with 0 when it does

To be used by a system file, such as etcd_by_program.toml beside this one.
"""
import base64, http.client, json, sys, time, urllib.parse

mode, address, port, timeout_ms = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
DEFINITE = {"etcdserver: no leader": "no-leader", "etcdserver: too many requests": "overloaded"}


def text(value):
    return base64.b64encode(str(value).encode()).decode()


def post(path, body, host=address, port=port):
    """One request on a fresh connection. What is raised before `request` returns is definite, the rest is not."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_ms / 1000)
    try:
        connection.connect()
    except OSError as error:
        return None, {"type": "fail", "error": "connection-refused", "text": str(error)}
    try:
        connection.request("POST", path, json.dumps(body))
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        return None, {"type": "info", "error": "connection-lost", "text": repr(error)}
    finally:
        connection.close()
    if response.status != 200:
        told = str(answer.get("error", answer))
        kind = "fail" if told in DEFINITE else "info"  # in doubt: info
        return None, {"type": kind, "error": DEFINITE.get(told, "unknown"), "text": told}
    return answer, None


def complete(operation):
    key, value = text(operation["key"]), operation["value"]
    if operation["f"] == "read":
        answer, trouble = post("/v3/kv/range", {"key": key})
        kvs = (answer or {}).get("kvs", [])
        return trouble or {"type": "ok", "value": int(base64.b64decode(kvs[0]["value"])) if kvs else None}
    if operation["f"] == "write":
        answer, trouble = post("/v3/kv/put", {"key": key, "value": text(value)})
        return trouble or {"type": "ok"}
    if operation["f"] == "cas":
        compare = {"key": key, "target": "VALUE", "value": text(value[0])}
        put = {"request_put": {"key": key, "value": text(value[1])}}
        answer, trouble = post("/v3/kv/txn", {"compare": [compare], "success": [put]})
        return trouble or ({"type": "ok"} if answer.get("succeeded") else {"type": "fail", "error": "precondition"})
    return {"type": "fail", "error": "unsupported"}


def role():
    status, trouble = post("/v3/maintenance/status", {})
    if trouble:
        return None
    leader, own = status.get("leader", "0"), status["header"]["member_id"]
    name = "candidate" if leader == "0" else "leader" if leader == own else "follower"
    return {"role": name, "term": int(status.get("raftTerm", "0"))}


def lead(heir):
    """Only the leader hands leadership over, and it knows the others by their ids. Returns why it was not done, if so."""
    status, trouble = post("/v3/maintenance/status", {})
    members, trouble = (None, trouble) if trouble else post("/v3/cluster/member/list", {})
    if trouble:
        return trouble["text"]
    ids = {member["ID"]: member for member in members["members"]}
    chosen = [number for number, member in ids.items() if member.get("name") == heir]
    leader = ids.get(status.get("leader", "0"))
    if not chosen or not leader:
        return f"{heir} is no member" if leader else "no leader is known"
    if leader["ID"] == chosen[0]:
        return None
    url = urllib.parse.urlsplit(leader["clientURLs"][0])
    _, trouble = post("/v3/maintenance/transfer-leadership", {"targetID": chosen[0]}, url.hostname, url.port)
    return trouble["text"] if trouble else None


if mode == "lead":
    sys.exit(lead(sys.argv[5]))
elif mode == "probe":
    while True:
        told = role()
        if told:  # silence says that the node is silent
            print(json.dumps(told), flush=True)
        time.sleep(0.1)
else:
    print(json.dumps({"type": "ready"}), flush=True)
    for line in sys.stdin:
        print(json.dumps(complete(json.loads(line))), flush=True)
