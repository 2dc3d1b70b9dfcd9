use super::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("firstright-folder-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_job_has_its_file_from_its_first_moment_on() {
    let folder = Folder::new("stage");
    let jobs = Jobs::open(&folder.0).unwrap();
    jobs.stage("first").unwrap();
    jobs.stage("second").unwrap();
    assert_eq!(jobs.staged().as_deref(), Some("second"), "one that was refused is overwritten");
    assert!(!jobs.has(JobId(7)));
    jobs.name(JobId(7)).unwrap();
    assert_eq!((jobs.read(JobId(7)).unwrap().as_str(), jobs.staged()), ("second", None));
}

#[test]
fn a_folder_of_the_same_number_is_moved_aside_whole() {
    let folder = Folder::new("aside");
    let jobs = Jobs::open(&folder.0).unwrap();
    for text in ["one", "two", "three"] {
        jobs.stage(text).unwrap();
        jobs.name(JobId(1)).unwrap();
    }
    assert_eq!(jobs.read(JobId(1)).unwrap(), "three");
    for (nth, text) in [(1, "one"), (2, "two")] {
        let aside = folder.0.join(format!("jobs/1.before-{nth}/job.toml"));
        assert_eq!(fs::read_to_string(aside).unwrap(), text);
    }
}

#[test]
fn each_piece_has_a_checkpoint_of_its_own() {
    let folder = Folder::new("pieces");
    let jobs = Jobs::open(&folder.0).unwrap();
    let name = |piece| {
        let files = jobs.lease(JobId(1), piece, LeaseId(3));
        files.checkpoint.file_name().unwrap().to_str().unwrap().to_string()
    };
    assert_eq!([name(0), name(1), name(2)], ["checkpoint", "checkpoint-2", "checkpoint-3"]);
    assert!(jobs.lease(JobId(1), 0, LeaseId(3)).file("log").ends_with("jobs/1/lease-3.log"));
}
