//! A disk that fails when it is told to, and that forgets at a power cut what wasn't synced: a VFS
//! of SQLite's around the system's own.

use rusqlite::ffi;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};

/// What fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// Writing, with an I/O error.
    Write,
    /// Writing, for want of room.
    Full,
    /// Syncing.
    Sync,
}

/// Which of them fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub fault: Fault,
    /// The how manyth of its kind.
    pub nth: u64,
    /// All after that one too.
    pub lasts: bool,
}

/// A write or cut that isn't synced yet.
struct Unsynced {
    offset: u64,
    /// What was there before, and how long the file was.
    before: Vec<u8>,
    length_before: u64,
    /// What was written; none: the file was cut at the offset.
    after: Option<Vec<u8>>,
}

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    writes: u64,
    syncs: u64,
    is_cut: bool,
    unsynced: BTreeMap<String, Vec<Unsynced>>,
}

/// Such a disk. SQLite keeps pointers to it, so it stays for as long as the process.
pub(super) struct Disk {
    vfs: &'static Vfs,
    name: String,
}

#[repr(C)]
struct Vfs {
    // First, so that a pointer to it is one to the whole.
    vfs: ffi::sqlite3_vfs,
    base: *mut ffi::sqlite3_vfs,
    state: Mutex<State>,
}

// SAFETY: `vfs` is only written before it is registered, `base` is SQLite's own and lives as long
// as the process, and `state` is behind a lock.
unsafe impl Sync for Vfs {}

/// A file of such a disk; the system's own follows it in memory.
#[repr(C)]
struct File {
    file: ffi::sqlite3_file,
    vfs: *const Vfs,
    /// Its path; SQLite keeps it for as long as the file is open. Null for temporary ones.
    path: *const c_char,
}

impl Disk {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("failing-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let c_name = CString::new(name.clone()).unwrap();
        // SAFETY: a null name asks for the default VFS, which there is on every system.
        let base = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
        // SAFETY: that pointer is to a VFS that lives as long as the process.
        let mut vfs = unsafe { *base };
        vfs.szOsFile += size_of::<File>() as c_int;
        vfs.zName = c_name.into_raw();
        vfs.pNext = ptr::null_mut();
        vfs.xOpen = Some(open);
        vfs.xDelete = Some(delete);
        let vfs = Box::leak(Box::new(Vfs { vfs, base, state: Mutex::default() }));
        // SAFETY: it is never freed, and from here on only read.
        let registered = unsafe { ffi::sqlite3_vfs_register(&raw mut vfs.vfs, 0) };
        assert_eq!(registered, ffi::SQLITE_OK);
        Self { vfs, name }
    }

    /// What SQLite calls it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.vfs.state.lock().unwrap()
    }

    /// Counts from now on, and fails by the plan.
    pub(super) fn arm(&self, plan: Option<Plan>) {
        let mut state = self.state();
        (state.plan, state.writes, state.syncs) = (plan, 0, 0);
    }

    /// Whether what was planned has happened.
    pub(super) fn has_failed(&self) -> bool {
        let state = self.state();
        state.plan.is_some_and(|plan| match plan.fault {
            Fault::Sync => state.syncs >= plan.nth,
            Fault::Write | Fault::Full => state.writes >= plan.nth,
        })
    }

    /// From now on nothing reaches the disk. Close all files then, and call
    /// [`lose`](Self::lose).
    pub(super) fn cut(&self) {
        self.state().is_cut = true;
    }

    /// Loses what wasn't synced: each write or not, as `keeps` says. Then the power is back.
    pub(super) fn lose(&self, mut keeps: impl FnMut() -> bool) {
        let mut state = self.state();
        for (path, unsynced) in std::mem::take(&mut state.unsynced) {
            let Ok(file) = OpenOptions::new().write(true).open(&path) else { continue };
            for write in unsynced.iter().rev() {
                file.write_all_at(&write.before, write.offset).unwrap();
                file.set_len(write.length_before).unwrap();
            }
            for write in &unsynced {
                match &write.after {
                    _ if !keeps() => {}
                    Some(bytes) => file.write_all_at(bytes, write.offset).unwrap(),
                    None => file.set_len(write.offset).unwrap(),
                }
            }
        }
        *state = State::default();
    }
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    path: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives the VFS that was registered, which is the first field of a `Vfs`, and
    // room for `szOsFile` bytes, which are a `File` and what the base needs.
    unsafe {
        let vfs = vfs.cast::<Vfs>();
        let file = file.cast::<File>();
        (*file).file.pMethods = ptr::null();
        (*file).vfs = vfs;
        (*file).path = path;
        let base = (*vfs).base;
        let opened = (*base).xOpen.unwrap()(base, path, inner(file.cast()), flags, out);
        if opened == ffi::SQLITE_OK {
            (*file).file.pMethods = &raw const METHODS;
        }
        opened
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, path: *const c_char, sync: c_int) -> c_int {
    // SAFETY: as in `open`; the path is SQLite's own.
    unsafe {
        let vfs = vfs.cast::<Vfs>();
        let mut state = (*vfs).state.lock().unwrap();
        if state.is_cut {
            return ffi::SQLITE_IOERR_DELETE;
        }
        state.unsynced.remove(&*CStr::from_ptr(path).to_string_lossy());
        let base = (*vfs).base;
        (*base).xDelete.unwrap()(base, path, sync)
    }
}

/// The system's file within one of ours.
fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    file.cast::<File>().wrapping_add(1).cast()
}

impl File {
    fn read(file: *mut ffi::sqlite3_file, length: usize, offset: u64) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let inner = inner(file);
        // SAFETY: the file is open, so its methods are there, and the buffer has that length. A
        // short read fills the rest with zeros.
        unsafe {
            let read = (*(*inner).pMethods).xRead.unwrap();
            read(inner, bytes.as_mut_ptr().cast(), length as c_int, offset as i64);
        }
        bytes
    }

    fn length(file: *mut ffi::sqlite3_file) -> u64 {
        let mut length = 0;
        let inner = inner(file);
        // SAFETY: the file is open, so its methods are there.
        unsafe { (*(*inner).pMethods).xFileSize.unwrap()(inner, &raw mut length) };
        length as u64
    }

    /// Notes a write or cut, of which `before` has the bytes that were there.
    fn note(&self, state: &mut State, unsynced: Unsynced) {
        if self.path.is_null() {
            return;
        }
        // SAFETY: SQLite keeps the path for as long as the file is open.
        let path = unsafe { CStr::from_ptr(self.path) };
        state.unsynced.entry(path.to_string_lossy().into_owned()).or_default().push(unsynced);
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: SQLite gives a file that `open` made, and `length` bytes.
    unsafe {
        let own = &*file.cast::<File>();
        let mut state = (*own.vfs).state.lock().unwrap();
        state.writes += 1;
        if state.is_cut {
            return ffi::SQLITE_IOERR_WRITE;
        }
        if let Some(Plan { fault: fault @ (Fault::Write | Fault::Full), nth, lasts }) = state.plan
            && (state.writes == nth || lasts && state.writes > nth)
        {
            let full = fault == Fault::Full;
            return if full { ffi::SQLITE_FULL } else { ffi::SQLITE_IOERR_WRITE };
        }
        let length_before = File::length(file);
        let new = std::slice::from_raw_parts(bytes.cast::<u8>(), length as usize).to_vec();
        let before = File::read(file, new.len(), offset as u64);
        let after = Some(new);
        own.note(&mut state, Unsynced { offset: offset as u64, before, length_before, after });
        drop(state);
        let inner = inner(file);
        (*(*inner).pMethods).xWrite.unwrap()(inner, bytes, length, offset)
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: SQLite gives a file that `open` made.
    unsafe {
        let own = &*file.cast::<File>();
        let mut state = (*own.vfs).state.lock().unwrap();
        if state.is_cut {
            return ffi::SQLITE_IOERR_TRUNCATE;
        }
        let (length_before, offset) = (File::length(file), size as u64);
        let gone = length_before.saturating_sub(offset) as usize;
        let before = File::read(file, gone, offset);
        own.note(&mut state, Unsynced { offset, before, length_before, after: None });
        drop(state);
        let inner = inner(file);
        (*(*inner).pMethods).xTruncate.unwrap()(inner, size)
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: SQLite gives a file that `open` made, and keeps its path.
    unsafe {
        let own = &*file.cast::<File>();
        let mut state = (*own.vfs).state.lock().unwrap();
        state.syncs += 1;
        let syncs = state.syncs;
        let fails = |plan: Plan| {
            plan.fault == Fault::Sync && (syncs == plan.nth || plan.lasts && syncs > plan.nth)
        };
        if state.is_cut || state.plan.is_some_and(fails) {
            return ffi::SQLITE_IOERR_FSYNC;
        }
        if !own.path.is_null() {
            state.unsynced.remove(&*CStr::from_ptr(own.path).to_string_lossy());
        }
        // What was written stays in the system's memory: no power is really cut.
        ffi::SQLITE_OK
    }
}

/// A method that is the system's own.
macro_rules! forward {
    ($name:ident, $method:ident, $($argument:ident: $type:ty),*) => {
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($argument: $type),*) -> c_int {
            let inner = inner(file);
            // SAFETY: SQLite gives a file that `open` made, and the arguments are SQLite's own.
            unsafe { (*(*inner).pMethods).$method.unwrap()(inner, $($argument),*) }
        }
    };
}

forward!(close, xClose,);
forward!(read, xRead, bytes: *mut c_void, length: c_int, offset: i64);
forward!(file_size, xFileSize, size: *mut i64);
forward!(lock, xLock, kind: c_int);
forward!(unlock, xUnlock, kind: c_int);
forward!(is_reserved, xCheckReservedLock, out: *mut c_int);
forward!(control, xFileControl, operation: c_int, argument: *mut c_void);
forward!(sector_size, xSectorSize,);
forward!(characteristics, xDeviceCharacteristics,);
forward!(shm_map, xShmMap, page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void);
forward!(shm_lock, xShmLock, offset: c_int, n: c_int, flags: c_int);
forward!(shm_unmap, xShmUnmap, delete: c_int);

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    let inner = inner(file);
    // SAFETY: SQLite gives a file that `open` made.
    unsafe { (*(*inner).pMethods).xShmBarrier.unwrap()(inner) }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(is_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
