"""Text and a part of Markdown as roff for man(7)."""

import re


LONG_WORD = 30


def characters(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha")
    text = text.replace("~", "\\(ti").replace('"', "\\(dq")
    return text.replace("…", "...").replace("–", "\\(en").replace("→", "\\(->")


def escape(text):
    """Plain text, of which nothing is markup. Long words may be broken."""
    parts = re.split(r"( )", text)
    return "".join(characters(part) if len(part) < LONG_WORD else
                   "\\:".join(characters(piece) for piece in re.findall(r"[^_/]{0,18}[_/]|[^_/]{1,18}", part)) for part in parts)


def line(text):
    """A line of text, which must not begin like a request."""
    return "\\&" + text if text.startswith(".") else text


def argument(text):
    """Of a request."""
    return '"' + text + '"'


def inline(text):
    """`code`, **strong**, *emphasis* and [links](…) of Markdown."""
    out = ""
    for part in re.split(r"(`[^`]*`|\*\*[^*]+\*\*|\*[^*]+\*|\[[^\]]+\]\([^)]*\))", text):
        if part.startswith("`") and len(part) > 1:
            out += "\\fB" + escape(part[1:-1]) + "\\fR"
        elif part.startswith("**") and len(part) > 4:
            out += "\\fB" + escape(part[2:-2]) + "\\fR"
        elif part.startswith("*") and len(part) > 2:
            out += "\\fI" + escape(part[1:-1]) + "\\fR"
        elif part.startswith("[") and "](" in part:
            out += inline(part[1:part.index("](")])
        else:
            out += escape(part)
    return out


def example(lines):
    return [".RS 4", ".EX", *(line(escape(each)) for each in lines), ".EE", ".RE"]


def option_row(row):
    """One row of a table of options: name, value, default, reload, meaning."""
    cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
    name, value, default, reload, meaning = cells
    facts = inline(value)
    if default == "required":
        facts += "; required"
    elif default:
        facts += "; default " + inline(default)
    facts += "; a change needs a restart" if reload == "no" else ""
    return [".TP", line(inline(name)), line(inline(meaning)), ".br", "\\fIValue:\\fR " + facts + "."]


def headings(lines, number):
    return lines[number].startswith("| Option |") and lines[number + 1].startswith("|---")


def begin_paragraph(out):
    return [] if out[-1].startswith((".SH", ".SS", ".ad")) else [".PP"]


def markdown(text):
    """What docs/configuration.md is made of: headings, paragraphs, lists, examples, and tables of options."""
    out, lines, number = [".ad l"], text.splitlines(), 0
    while number < len(lines):
        each = lines[number]
        number += 1
        if each.startswith("```"):
            end = lines.index("```", number)
            out += [*begin_paragraph(out), *example(lines[number:end])]
            number = end + 1
        elif each.startswith("## "):
            out.append(".SH " + argument(escape(each[3:].upper())))
        elif each.startswith("### "):
            out.append(".SS " + argument(inline(each[4:])))
        elif each.startswith("# "):
            continue
        elif each.startswith("| Option |"):
            if not headings(lines, number - 1):
                raise ValueError("a table without its line")
            number += 1
        elif each.startswith("|"):
            out += option_row(each)
        elif each.startswith("- "):
            item = [each[2:]]
            while number < len(lines) and lines[number].startswith("  "):
                item.append(lines[number].strip())
                number += 1
            out += [".IP \\(bu 2", line(inline(" ".join(item)))]
        elif each.strip():
            paragraph = [each]
            while number < len(lines) and lines[number].strip() and lines[number][0] not in "|-#`":
                paragraph.append(lines[number])
                number += 1
            out += [*begin_paragraph(out), line(inline(" ".join(paragraph)))]
    return "\n".join(out) + "\n"
