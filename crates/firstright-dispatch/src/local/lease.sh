mark=$1 done=$2 lease=$3 blocks=$4 note=$5
shift 5
read -r boot < /proc/sys/kernel/random/boot_id
read -r pid comm state parent group session tty front flags f1 f2 f3 f4 t1 t2 t3 t4 prio nice threads it start rest < /proc/$$/stat
# A link is made once: a second process for this lease ends here.
echo "$$ $start $boot" > "${mark}pid.$$" || exit 75
ln "${mark}pid.$$" "${mark}pid" 2> /dev/null || { rm -f "${mark}pid.$$"; exit 75; }
rm -f "${mark}pid.$$"
# Signals are for the command; this shell stays to write down how it ended.
trap : TERM INT HUP
{
    trap : TERM INT HUP
    "$@" 2>&1
    code=$?
    [ "$code" -eq 0 ] && echo "$lease" > "$done"
    read -r now idle < /proc/uptime
    echo "$code $now" > "${mark}exit.new" && mv "${mark}exit.new" "${mark}exit"
} | {
    # The sink outlives a polite signal, so that the command's last words are kept.
    trap '' TERM INT HUP XFSZ
    ( ulimit -f "$blocks"; exec cat ) > "${mark}log" 2> /dev/null || echo "$note" >> "${mark}log"
    exec cat > /dev/null
}
