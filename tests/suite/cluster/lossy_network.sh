# Gives the program that the arguments name a loopback on which packets of one port can be lost.
#
#   sh lossy_network.sh FOLDER SOURCES PROGRAM...
set -e
shift 2
ip link set lo up
# Rules with a smaller number than that of the local table can drop packets.
ip rule add pref 100 lookup local
ip rule del pref 0 lookup local
exec "$@"
