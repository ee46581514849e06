#!/usr/bin/env bash
# Java 17 is the one thing a Python package index does not have. Install it where we may; otherwise say so in one line.
set -u
version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
case "$version" in 17 | 21) exit 0 ;; esac
if command -v apt-get > /dev/null && [ "$(id -u)" = 0 ]; then
  echo "setting up: Java 17"
  apt-get update -qq && apt-get install -y -qq openjdk-17-jre-headless > /dev/null && exit 0
fi
echo "C360-502: Java 17 is needed and was not found (found: ${version:-none}). Install it (Debian: sudo apt-get install openjdk-17-jre-headless), then run the same command again." >&2
exit 5
