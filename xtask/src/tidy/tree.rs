//! Which files are held against the rules? Those that stand in the repository; what builds and tools leave behind is not
//! read.

use std::fs;
use std::path::{Path, PathBuf};

use super::source;

/// Folders that are not the repository's: git's own, cargo's, the clients', a journal's.
const NOT_OURS: [&str; 5] = [".git", "target", "node_modules", "firstright-data", "__pycache__"];

/// The files.
#[derive(Debug, Default)]
pub struct Tree {
    pub files: Vec<File>,
    /// Where they stand; none for a tree of a test.
    pub root: Option<PathBuf>,
}

/// One file.
#[derive(Debug)]
pub struct File {
    /// Relative to the root, with `/`.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// Empty if it isn't UTF-8.
    pub text: String,
    /// For Rust: the text with comments and the insides of literals blanked out, so that only code is left.
    pub code: String,
}

impl Tree {
    /// Reads every file below the root.
    ///
    /// # Errors
    /// With the file or folder that cannot be read.
    pub fn read(root: &Path) -> Result<Tree, String> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let fail = |error| format!("failed to read `{}`: {error}", folder.display());
            for entry in fs::read_dir(&folder).map_err(fail)? {
                let entry = entry.map_err(fail)?;
                let name = entry.file_name();
                let kind = entry.file_type().map_err(fail)?;
                let is_ours = !NOT_OURS.iter().any(|other| name == *other)
                    && !name.to_string_lossy().starts_with(".venv");
                if is_ours && kind.is_dir() {
                    folders.push(entry.path());
                } else if is_ours && kind.is_file() {
                    let bytes = fs::read(entry.path()).map_err(fail)?;
                    let path = entry.path();
                    let path = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                    files.push(File::new(&path, bytes));
                }
            }
        }
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Tree { files, root: Some(root.to_path_buf()) })
    }

    /// The file at a path.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let files = files.iter().map(|(path, text)| File::new(path, text.as_bytes().to_vec())).collect();
        Tree { files, root: None }
    }
}

impl File {
    fn new(path: &str, bytes: Vec<u8>) -> File {
        let size = bytes.len() as u64;
        let text = String::from_utf8(bytes).unwrap_or_default();
        let code = if path.ends_with(".rs") { source::code_of(&text) } else { String::new() };
        File { path: path.to_string(), size, text, code }
    }

    /// Does the file only test? Integration tests, benches and examples count, and `tests.rs` beside a module.
    pub fn is_test(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        parts.iter().any(|part| matches!(*part, "tests" | "tests.rs" | "benches" | "examples"))
    }

    /// Lines of text with their numbers.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.text)
    }

    /// Lines of code with their numbers.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.code)
    }
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('\n').enumerate().map(|(index, line)| (index + 1, line))
}
