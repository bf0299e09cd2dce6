import CPJRT
import Foundation

/// What the process does with memory of the host that was freed.
public enum HostMemory {
  /// Lets the C library keep what is freed, from the first call on.
  ///
  /// By default glibc maps every large block anew and returns it to the system when it is freed, so
  /// that each run of a program pays for the zeroing of its temporaries again. `Client` calls this;
  /// a program that starts threads before its first client calls it before them, because a thread
  /// keeps the ways it began with. It does nothing with other C libraries.
  public static func keepTemporaries() { _ = kept }

  private static let kept: Void = {
    #if canImport(Glibc)
      _ = mallopt(M_MMAP_MAX, 0)
      // −1 turns it off; the greatest number would still give back what is above 2 GiB.
      _ = mallopt(M_TRIM_THRESHOLD, -1)
      _ = mallopt(M_TOP_PAD, 64 << 20)
      // The arenas of other threads are too small for large blocks and would map them all the same.
      _ = mallopt(M_ARENA_MAX, 1)
      askForHugePages()
    #endif
  }()

  #if canImport(Glibc)
    /// Has what is allocated from here on lie in huge pages, where the kernel has them on demand.
    ///
    /// A block that nothing touches costs nothing; freed, its addresses stay with the process.
    private static func askForHugePages() {
      let page = 2 << 20
      let size = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) / 2 / page * page
      guard size > 0, let block = malloc(size) else { return }
      let start = (Int(bitPattern: block) + page - 1) / page * page
      _ = madvise(UnsafeMutableRawPointer(bitPattern: start), size - page, MADV_HUGEPAGE)
      free(block)
    }
  #endif
}
