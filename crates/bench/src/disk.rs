//! A disk of our own: an image file with ext4, mounted by a loop device, or a piece of memory.
//! Both need root, and a system that allows it.

use rustix::ioctl::{self, Ioctl};
use std::ffi::c_void;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file system that is mounted until this is dropped.
pub struct Disk {
    image: Option<PathBuf>,
    mount: PathBuf,
    is_mounted: bool,
}

impl Disk {
    /// An image file of so many MiB in `folder`, with ext4, mounted beside it.
    pub fn image(folder: &Path, mib: u64) -> Result<Self, String> {
        let image = folder.join("disk.img");
        let failed = |error: std::io::Error| format!("{}: {error}", image.display());
        File::create(&image).and_then(|file| file.set_len(mib << 20)).map_err(failed)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        let mut disk = Self { image: Some(image), mount: folder.join("disk"), is_mounted: false };
        fs::create_dir_all(&disk.mount).map_err(|error| error.to_string())?;
        disk.mount()?;
        Ok(disk)
    }

    /// So many MiB of memory, mounted in `folder`.
    pub fn memory(folder: &Path, mib: u64) -> Result<Self, String> {
        let mount = folder.join("disk");
        fs::create_dir_all(&mount).map_err(|error| error.to_string())?;
        let size = format!("size={mib}m");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&mount))?;
        Ok(Self { image: None, mount, is_mounted: true })
    }

    /// Where its files are.
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// Cuts the power: from this instant on nothing more reaches the device, neither what was
    /// written and not yet sent, nor the file system's own journal. What then writes gets an error.
    pub fn cut_power(&self) -> Result<(), String> {
        let folder = File::open(&self.mount).map_err(|error| error.to_string())?;
        // SAFETY: the argument is a number that outlives the call, which is what this request reads.
        unsafe { ioctl::ioctl(&folder, Shutdown(NO_LOG_FLUSH)) }
            .map_err(|error| format!("the file system can't be cut off: {error}"))
    }

    /// Mounts what is on the device, as after a power cut. Nobody may use the old mount any more.
    pub fn power_on(&mut self) -> Result<(), String> {
        self.unmount()?;
        self.mount()
    }

    fn mount(&mut self) -> Result<(), String> {
        if let Some(image) = &self.image {
            run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(&self.mount))?;
            self.is_mounted = true;
        }
        Ok(())
    }

    fn unmount(&mut self) -> Result<(), String> {
        if self.is_mounted {
            run(Command::new("umount").arg(&self.mount))?;
            self.is_mounted = false;
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(why) = self.unmount() {
            eprintln!("damso-bench: {} stays mounted: {why}", self.mount.display());
        }
    }
}

/// `FS_IOC_SHUTDOWN` of the kernel, which ext4 has too.
struct Shutdown(u32);

/// `EXT4_GOING_FLAGS_NOLOGFLUSH`: not even the journal is written out.
const NO_LOG_FLUSH: u32 = 2;

// SAFETY: the request reads one u32 through the pointer, writes nothing and has no output.
unsafe impl Ioctl for Shutdown {
    type Output = ();
    const IS_MUTATING: bool = false;

    fn opcode(&self) -> ioctl::Opcode {
        ioctl::opcode::read::<u32>(b'X', 125)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        (&raw mut self.0).cast()
    }

    unsafe fn output_from_ptr(_: ioctl::IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
