import CPJRT

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
      _ = mallopt(M_TRIM_THRESHOLD, .max)
      _ = mallopt(M_TOP_PAD, 64 << 20)
      // The arenas of other threads are too small for large blocks and would map them all the same.
      _ = mallopt(M_ARENA_MAX, 1)
    #endif
  }()
}
