# SPDX-License-Identifier: MIT
# What a Kea of the lab has for tests only, on top of the configuration `leaseherd setup` makes.

.Dhcp4 |= . * {
  "interfaces-config": {"dhcp-socket-type": $socket_type},
  "control-socket": {"socket-type": "unix", "socket-name": ($dir + "/control")},
  "lease-database": {"name": ($dir + "/leases"), "lfc-interval": 0},
  "renew-timer": $t1, "rebind-timer": $t2,
  "multi-threading": {"thread-pool-size": 2, "packet-queue-size": 1024},
  "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}]
} + $extra

# Short where Kea's defaults (10 s and 60 s) would make a test of a failing peer last minutes.
| .Dhcp4."hooks-libraries"[]?.parameters."high-availability"[]? += {
  "heartbeat-delay": 1000, "max-response-delay": 5000, "max-ack-delay": 3000, "max-unacked-clients": $max_unacked
}

# Of the first subnet, which is the only one where these are asked for.
| ($denied | split("\n") | map(select(. != "") | {"pool": ., "client-class": "nobody"})) as $nobody
| if $nobody == [] then . else
    .Dhcp4."client-classes" += [{"name": "nobody", "test": "'one' == 'another'"}] | .Dhcp4.subnet4[0].pools += $nobody
  end

# Kea takes the subnets of a shared network in the order of their ids, and the next one when one is used up.
| if $foreign == "no" then . else
    (if $foreign == "only" then .Dhcp4.subnet4[0].pools = [] else . end)
    | .Dhcp4."shared-networks" = [{"name": "lab", "subnet4": [.Dhcp4.subnet4[0], {
        "id": 2, "subnet": $foreign_subnet, "relay": .Dhcp4.subnet4[0].relay, "pools": [{"pool": $foreign_pool}]}]}]
    | del(.Dhcp4.subnet4)
  end
