//! What does a YAML file say, and on which line? A tree in which every node knows its file, line and path, so that an
//! importer can account for each of them.

use std::collections::BTreeMap;
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, StrInput};

/// Nodes of all the files of one import, aliases written out: a page of anchors must not become a gigabyte.
pub const MAX_NODES: usize = 200_000;
/// The largest file that is read, in bytes. Real configurations are under 1 MiB.
pub const MAX_BYTES: u64 = 4 << 20;

type Events<'t> = Parser<'t, StrInput<'t>>;

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its number, unique in the import.
    pub id: usize,
    /// The file's name as messages write it.
    pub file: Rc<str>,
    /// Its line, from 1. A value that an alias or a merge brings has the line where it is written.
    pub line: usize,
    /// Its path in the document, for example `model_list[0].litellm_params.model`.
    pub path: Rc<str>,
    /// Does it stand within an anchor that an alias refers to?
    pub anchored: bool,
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    Null,
    /// A scalar's text; plain ones may be numbers or truth values.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Documents of a file, and values that a later key of the same name replaces.
#[derive(Debug, Default)]
pub struct Documents {
    pub all: Vec<Node>,
    pub shadowed: Vec<Node>,
}

impl Node {
    /// A map's value. A key with a null counts as absent.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).filter(|node| !matches!(node.kind, Kind::Null))
    }

    /// A map's value, null or not.
    pub fn entry(&self, key: &str) -> Option<&Node> {
        let Kind::Map(entries) = &self.kind else { return None };
        entries.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The value at the end of a path of keys.
    pub fn at(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    pub fn entries(&self) -> &[(String, Node)] {
        if let Kind::Map(entries) = &self.kind { entries } else { &[] }
    }

    /// A list's items; a scalar counts as a list of itself, as both importers' sources allow.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Scalar { .. } => std::slice::from_ref(self),
            Kind::Null | Kind::Map(_) => &[],
        }
    }

    pub fn text(&self) -> Option<&str> {
        if let Kind::Scalar { text, .. } = &self.kind { Some(text) } else { None }
    }

    /// A whole number, also when it is quoted, or written as a float without a fraction (`1e6`, `100.0`).
    pub fn number(&self) -> Option<u64> {
        let text = self.text()?.trim().replace('_', "");
        text.parse().ok().or_else(|| super::decimal::parse(&text)?.whole())
    }

    /// Puts something before the paths of all that is beneath, for files of several documents.
    pub fn prefix(&mut self, prefix: &str) {
        let mut rest = vec![self];
        while let Some(node) = rest.pop() {
            node.path = format!("{prefix}{}", node.path).into();
            match &mut node.kind {
                Kind::List(items) => rest.extend(items),
                Kind::Map(entries) => rest.extend(entries.iter_mut().map(|(_, value)| value)),
                Kind::Null | Kind::Scalar { .. } => {}
            }
        }
    }

    /// The leaves beneath, itself if it is one. An empty list or map is a leaf.
    pub fn leaves(&self) -> Vec<&Node> {
        let mut leaves = Vec::new();
        let mut rest = vec![self];
        while let Some(node) = rest.pop() {
            match &node.kind {
                Kind::List(items) if !items.is_empty() => rest.extend(items.iter().rev()),
                Kind::Map(entries) if !entries.is_empty() => {
                    rest.extend(entries.iter().rev().map(|(_, node)| node));
                }
                _ => leaves.push(node),
            }
        }
        leaves
    }
}

/// Reads the documents of one file. `count` runs on over the files of an import.
///
/// # Errors
/// With file and line of what is not YAML, or if there is too much of it.
pub fn read(name: &str, text: &str, count: &mut usize) -> Result<Documents, String> {
    let mut parser = Parser::new_from_str(text);
    let mut reader =
        Reader { file: name.into(), anchors: BTreeMap::new(), used: Vec::new(), shadowed: Vec::new(), count };
    let mut documents = Documents::default();
    let mut roots = Vec::new();
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| {
            format!("failed to read `{name}`, line {}: {}", error.marker().line(), error.info())
        })?;
        if matches!(event, Event::DocumentEnd) {
            reader.mark_anchored(&mut roots);
            documents.all.append(&mut roots);
            reader.anchors.clear();
        } else if let Some(node) = reader.node(event, span.start.line(), &mut parser, "")? {
            roots.push(node);
        }
    }
    documents.shadowed = reader.shadowed;
    Ok(documents)
}

struct Reader<'c> {
    file: Rc<str>,
    anchors: BTreeMap<usize, Node>,
    /// Numbers of nodes whose anchor was referred to.
    used: Vec<usize>,
    shadowed: Vec<Node>,
    count: &'c mut usize,
}

impl Reader<'_> {
    /// The node that begins with an event; `None` for events that begin none.
    fn node<'t>(
        &mut self,
        event: Event<'t>,
        line: usize,
        parser: &mut Events<'t>,
        path: &str,
    ) -> Result<Option<Node>, String> {
        let mut node = self.blank(line, path)?;
        let anchor = match event {
            Event::Alias(id) => {
                let Some(target) = self.anchors.get(&id).cloned() else {
                    return Err(format!(
                        "failed to read `{}`, line {line}: an alias within its own anchor",
                        self.file
                    ));
                };
                self.used.push(target.id);
                return self.copy(&target, path).map(Some);
            }
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                node.kind = if null { Kind::Null } else { Kind::Scalar { text: text.into_owned(), plain } };
                anchor
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, line) = self.next(parser)?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    let path = format!("{path}[{}]", items.len());
                    items.extend(self.node(event, line, parser, &path)?);
                }
                node.kind = Kind::List(items);
                anchor
            }
            Event::MappingStart(_, anchor, _) => {
                node.kind = Kind::Map(self.entries(parser, path)?);
                anchor
            }
            _ => return Ok(None),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(Some(node))
    }

    /// A map's entries. Of keys given twice the last holds, and `<<` brings what no key gives.
    fn entries<'t>(&mut self, parser: &mut Events<'t>, path: &str) -> Result<Vec<(String, Node)>, String> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut merged: Vec<Node> = Vec::new();
        loop {
            let (event, line) = self.next(parser)?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key_line = line;
            let Some(key) = self.node(event, line, parser, path)? else { continue };
            let Kind::Scalar { text: key, .. } = key.kind else {
                return Err(format!("failed to read `{}`, line {line}: a key that is no text", self.file));
            };
            let (event, line) = self.next(parser)?;
            if key == "<<" {
                merged.extend(self.node(event, line, parser, path)?);
                continue;
            }
            let within = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let Some(mut value) = self.node(event, line, parser, &within)? else { continue };
            // A text of several lines begins after its key.
            if matches!(value.kind, Kind::Scalar { .. }) && value.line == line {
                value.line = key_line;
            }
            if let Some(at) = entries.iter().position(|(name, _)| *name == key) {
                self.shadowed.push(entries.remove(at).1);
            }
            entries.push((key, value));
        }
        for source in &merged {
            let maps =
                if let Kind::List(items) = &source.kind { &items[..] } else { std::slice::from_ref(source) };
            for (key, value) in maps.iter().flat_map(Node::entries) {
                if !entries.iter().any(|(name, _)| name == key) {
                    let within = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    let value = self.copy(value, &within)?;
                    entries.push((key.clone(), value));
                }
            }
        }
        Ok(entries)
    }

    fn next<'t>(&mut self, parser: &mut Events<'t>) -> Result<(Event<'t>, usize), String> {
        match parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => Err(format!(
                "failed to read `{}`, line {}: {}",
                self.file,
                error.marker().line(),
                error.info()
            )),
            None => Err(format!("failed to read `{}`: it ends too early", self.file)),
        }
    }

    fn blank(&mut self, line: usize, path: &str) -> Result<Node, String> {
        *self.count += 1;
        if *self.count > MAX_NODES {
            return Err(format!("failed to read `{}`: more than {MAX_NODES} values", self.file));
        }
        let file = Rc::clone(&self.file);
        Ok(Node { id: *self.count, file, line, path: path.into(), anchored: false, kind: Kind::Null })
    }

    /// The same values under another path.
    fn copy(&mut self, node: &Node, path: &str) -> Result<Node, String> {
        let mut copy = self.blank(node.line, path)?;
        copy.kind = match &node.kind {
            Kind::Null => Kind::Null,
            Kind::Scalar { text, plain } => Kind::Scalar { text: text.clone(), plain: *plain },
            Kind::List(items) => {
                let items = items.iter().enumerate();
                Kind::List(
                    items
                        .map(|(at, item)| self.copy(item, &format!("{path}[{at}]")))
                        .collect::<Result<_, _>>()?,
                )
            }
            Kind::Map(entries) => {
                let mut copies = Vec::new();
                for (key, value) in entries {
                    let within = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    copies.push((key.clone(), self.copy(value, &within)?));
                }
                Kind::Map(copies)
            }
        };
        Ok(copy)
    }

    /// Notes what stands within an anchor that was referred to: it is told where it is used.
    fn mark_anchored(&self, roots: &mut [Node]) {
        let mut rest: Vec<(&mut Node, bool)> = roots.iter_mut().map(|node| (node, false)).collect();
        while let Some((node, within)) = rest.pop() {
            node.anchored = within || self.used.contains(&node.id);
            let anchored = node.anchored;
            match &mut node.kind {
                Kind::List(items) => rest.extend(items.iter_mut().map(|item| (item, anchored))),
                Kind::Map(entries) => rest.extend(entries.iter_mut().map(|(_, value)| (value, anchored))),
                Kind::Null | Kind::Scalar { .. } => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
