"""Writes html_entities.inc: the named character references of HTML 5 (https://html.spec.whatwg.org/entities.json, as
Python's html.entities has them), and the all-capitals spellings that ftfy reads besides. Run in this folder."""

import html
import html.entities


def literal(text):
    # Octal is the escape that ends by itself; C++ has no universal names for ASCII.
    return "".join(f"\\{ord(c):03o}" if ord(c) < 0x80 else f"\\U{ord(c):08X}" for c in text)


def capitals():
    for name, text in html.entities.html5.items():
        upper = f"&{name.upper()}"
        if name.endswith(";") and name == name.lower() and html.unescape(upper) == upper:
            yield upper[1:], text.upper()


def write(file, array, entries):
    print(f"constexpr Entity {array}[] = {{", file=file)
    line = "   "
    for name, text in sorted(entries):
        entry = f' {{"{name}", "{literal(text)}"}},'
        if len(line) + len(entry) > 118:
            print(line, file=file)
            line = "   "
        line += entry
    print(f"{line}\n}};", file=file)


with open("html_entities.inc", "w", encoding="ascii") as output:
    print("// Written by generate_html_entities.py. Names without '&', in order of their bytes.", file=output)
    write(output, "entities", html.entities.html5.items())
    write(output, "capital_entities", capitals())
