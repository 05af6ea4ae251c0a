//! The source files of this package, and which of them uses what of which other one.
//!
//! Names are followed through re-exports to the file that defines them, so a folder's facade is no detour. Unit tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The path of a module or a name, without `crate`.
type Words = Vec<String>;

/// A source file: one module, its inline modules included.
#[derive(Debug)]
pub(crate) struct File {
    /// Where it lies, below `src`.
    pub(crate) path: PathBuf,
    /// Its text.
    pub(crate) text: String,
    module: Words,
    /// Names that it brings into scope, each with the path that it was given.
    imported: BTreeMap<String, Words>,
    /// Modules of which it brings all names into scope.
    globs: Vec<Words>,
    /// Paths that stand in its code.
    paths: Vec<Words>,
    /// Types that have an inherent `impl` here, as they are named there.
    implemented: BTreeSet<Words>,
}

impl File {
    fn new(src: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let relative = path.strip_prefix(src).unwrap();
        let mut file = Self {
            module: words_of(relative),
            path: relative.to_owned(),
            imported: BTreeMap::new(),
            globs: Vec::new(),
            paths: Vec::new(),
            implemented: BTreeSet::new(),
            text,
        };
        let tokens: TokenStream = file.text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        file.read(tokens);
        file
    }

    /// Its room: the first folder that it lies in.
    pub(crate) fn room(&self) -> &str {
        &self.module[0]
    }

    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Punct(hash) if hash.as_char() == '#' && is_for_tests(tokens.get(at + 1)) => {
                    at = end_of_item(&tokens, at + 2);
                }
                TokenTree::Ident(word) if word == "use" => {
                    let end = end_of_item(&tokens, at + 1);
                    self.import(&tokens[at + 1..end - 1], &Vec::new());
                    at = end;
                }
                // `pub(in crate::cli)` uses nothing.
                TokenTree::Ident(word) if word == "pub" => {
                    at += 1 + usize::from(matches!(tokens.get(at + 1), Some(TokenTree::Group(_))));
                }
                TokenTree::Ident(word) if word == "impl" && starts_an_item(&tokens, at) => {
                    self.implemented.extend(implemented(&tokens[at + 1..]));
                    at += 1;
                }
                TokenTree::Ident(_) => {
                    let (path, end) = path_at(&tokens, at);
                    if path.len() > 1 {
                        self.paths.push(path);
                    }
                    at = end;
                }
                TokenTree::Group(group) => {
                    self.read(group.stream());
                    at += 1;
                }
                _ => at += 1,
            }
        }
    }

    /// Takes over what a tree of `use` brings into scope: `a::{b, c::d}` below a prefix.
    fn import(&mut self, tree: &[TokenTree], prefix: &Words) {
        let (path, end) = path_at(tree, 0);
        let path: Words = prefix.iter().cloned().chain(path).collect();
        match tree.get(end..).unwrap_or_default() {
            [] => {
                let path = if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
                    &path[..path.len() - 1]
                } else {
                    &path
                };
                if let Some(name) = path.last() {
                    self.imported.insert(name.clone(), path.to_vec());
                }
            }
            [TokenTree::Ident(renamed), TokenTree::Ident(name)] if renamed == "as" => {
                self.imported.insert(name.to_string(), path);
            }
            rest => match rest.last() {
                Some(TokenTree::Group(group)) => {
                    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
                    let is_comma =
                        |token: &TokenTree| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ',');
                    for tree in tokens.split(is_comma).filter(|tree| !tree.is_empty()) {
                        self.import(tree, &path);
                    }
                }
                _ => self.globs.push(path),
            },
        }
    }
}

/// All files, and how they use one another.
#[derive(Debug)]
pub(crate) struct Sources {
    files: BTreeMap<Words, File>,
}

impl Sources {
    /// Those of a folder, apart from `main.rs` and `lib.rs`.
    pub(crate) fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        for path in files_in(src, ".rs") {
            if path.parent() != Some(src) || !(path.ends_with("main.rs") || path.ends_with("lib.rs")) {
                let file = File::new(src, &path);
                files.insert(file.module.clone(), file);
            }
        }
        Self { files }
    }

    /// All files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    /// The other files that a file uses names of, with the names.
    pub(crate) fn uses<'a>(&'a self, file: &'a File) -> BTreeMap<&'a Path, BTreeSet<String>> {
        let mut used: BTreeMap<&Path, BTreeSet<String>> = BTreeMap::new();
        for path in file.imported.values().chain(&file.globs).chain(&file.paths) {
            if let Some((other, name)) = self.defined_in(file, path, 0).filter(|(other, _)| other.path != file.path) {
                used.entry(&other.path).or_default().insert(name);
            }
        }
        used
    }

    /// By type, of those with an inherent `impl` here: the files where they have one.
    pub(crate) fn implemented_in(&self) -> BTreeMap<String, BTreeSet<&Path>> {
        let mut found: BTreeMap<String, BTreeSet<&Path>> = BTreeMap::new();
        for file in self.files() {
            for name in &file.implemented {
                let (home, name) = self.defined_in(file, name, 0).unwrap_or((file, name.join("::")));
                found.entry(format!("{}: {name}", home.path.display())).or_default().insert(&file.path);
            }
        }
        found
    }

    /// Circles of files that use one another.
    pub(crate) fn circles(&self) -> Vec<Vec<&Path>> {
        let uses: BTreeMap<&Path, Vec<&Path>> =
            self.files().map(|file| (&*file.path, self.uses(file).into_keys().collect())).collect();
        let reached = |from: &Path| {
            let mut reached: BTreeSet<&Path> = BTreeSet::new();
            let mut open = uses[from].clone();
            while let Some(next) = open.pop() {
                if reached.insert(next) {
                    open.extend(&uses[next]);
                }
            }
            reached
        };
        let reached: BTreeMap<&Path, BTreeSet<&Path>> = uses.keys().map(|from| (*from, reached(from))).collect();
        let circle = |file: &Path| -> Vec<&Path> {
            reached[file].iter().filter(|other| reached[**other].contains(file)).copied().collect()
        };
        let circles: BTreeSet<Vec<&Path>> =
            uses.keys().map(|file| circle(file)).filter(|circle| !circle.is_empty()).collect();
        circles.into_iter().collect()
    }

    /// The file that defines what a path in a file names, and the name; `None` if that is none of ours.
    fn defined_in<'a>(&'a self, file: &'a File, path: &[String], depth: usize) -> Option<(&'a File, String)> {
        // Re-exports of re-exports are few; a name that names itself would be followed for ever.
        if depth > 8 {
            return None;
        }
        let (first, mut rest) = path.split_first()?;
        let mut module = match first.as_str() {
            "crate" | "mock_data_gen" => Words::new(),
            "self" => file.module.clone(),
            "super" => file.module[..file.module.len() - 1].to_vec(),
            name => {
                let child: Words = file.module.iter().cloned().chain([name.to_owned()]).collect();
                if !self.files.contains_key(&child) {
                    let imported = file.imported.get(name)?;
                    let full: Words = imported.iter().chain(rest).cloned().collect();
                    return if imported == path { None } else { self.defined_in(file, &full, depth + 1) };
                }
                child
            }
        };
        loop {
            match rest.split_first() {
                Some((word, after)) if word == "super" => {
                    module.pop();
                    rest = after;
                }
                Some((word, after)) => {
                    let inner: Words = module.iter().cloned().chain([word.clone()]).collect();
                    if !self.files.contains_key(&inner) {
                        break;
                    }
                    (module, rest) = (inner, after);
                }
                None => break,
            }
        }
        let home = self.files.get(&module)?;
        let Some(name) = rest.first() else { return Some((home, "itself".to_owned())) };
        if let Some(imported) = home.imported.get(name).filter(|imported| *imported != rest) {
            return self.defined_in(home, imported, depth + 1).or(Some((home, name.clone())));
        }
        Some((home, name.clone()))
    }
}

/// The files of a folder and those below it, by the ending of their names.
pub(crate) fn files_in(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_in(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn words_of(relative: &Path) -> Words {
    relative.with_extension("").iter().map(|word| word.to_str().unwrap().to_owned()).collect()
}

/// The path that begins at a token, and the place behind it.
fn path_at(tokens: &[TokenTree], at: usize) -> (Words, usize) {
    let is_colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(colon)) if colon.as_char() == ':');
    let (mut path, mut at) = (Words::new(), at);
    while let Some(TokenTree::Ident(word)) = tokens.get(at) {
        path.push(word.to_string());
        if !(is_colon(at + 1) && is_colon(at + 2)) {
            return (path, at + 1);
        }
        at += 3;
    }
    (path, at)
}

/// Whether an attribute is `cfg(test)` or `cfg(all(test, …))`.
fn is_for_tests(attribute: Option<&TokenTree>) -> bool {
    let text = attribute.map(ToString::to_string).unwrap_or_default();
    text.starts_with("[cfg") && text.contains("test") && !text.contains("not")
}

/// The place behind the item that begins here: behind its braces, or its semicolon.
fn end_of_item(tokens: &[TokenTree], from: usize) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(mark) => mark.as_char() == ';',
        _ => false,
    };
    let is_use = tokens[from..].iter().position(ends).map_or(tokens.len(), |at| from + at + 1);
    match tokens.get(is_use) {
        // The braces were those of a `use`.
        Some(TokenTree::Punct(mark)) if mark.as_char() == ';' => is_use + 1,
        _ => is_use,
    }
}

/// Whether `impl` stands here as an item, not in a type.
fn starts_an_item(tokens: &[TokenTree], at: usize) -> bool {
    match at.checked_sub(1).map(|before| &tokens[before]) {
        None => true,
        Some(TokenTree::Group(group)) => matches!(group.delimiter(), Delimiter::Brace | Delimiter::Bracket),
        Some(TokenTree::Punct(mark)) => mark.as_char() == ';',
        Some(_) => false,
    }
}

/// The type of an inherent `impl`, whose tokens these are.
fn implemented(tokens: &[TokenTree]) -> Option<Words> {
    let body =
        tokens.iter().position(|token| matches!(token, TokenTree::Group(g) if g.delimiter() == Delimiter::Brace))?;
    let head = &tokens[..body];
    if head.iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "for")) {
        return None;
    }
    let mut depth = 0;
    for (at, token) in head.iter().enumerate() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '<' => depth += 1,
            TokenTree::Punct(mark) if mark.as_char() == '>' => depth -= 1,
            TokenTree::Ident(_) if depth == 0 => return Some(path_at(head, at).0),
            _ => {}
        }
    }
    None
}
