#!/bin/sh
# Runs after the package has been removed, not when another version takes its place.
case "$1" in
  upgrade | 1) ;;
  *) echo "tailrace: streams and settings stay: in ~/.local/share/tailrace and ~/.config/tailrace of each user. A service of a user is removed by that user (systemctl --user disable --now tailrace)." ;;
esac
exit 0
