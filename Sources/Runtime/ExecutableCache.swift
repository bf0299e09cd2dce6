import Files
import Foundation
import PJRT

/// A cache of compiled programs on disk.
///
/// The key of an entry is the program's text, its options, the devices, the plugin's file and the
/// kind of processor. An entry that is damaged, or that the plugin rejects, is replaced. Any number
/// of processes may share one folder.
public struct ExecutableCache: Sendable {
  /// Whether a program was compiled or loaded from the cache.
  public struct Report: Equatable, Sendable {
    /// Whether it was loaded from the cache.
    public let wasCached: Bool
    /// How long loading or compiling took.
    public let seconds: Double
    /// The file that holds it.
    public let path: String
    /// Whether there was an entry that was damaged, or that the plugin rejected.
    public let wasDamaged: Bool
    /// Why a compiled program could not be stored, or nil.
    public let problem: PJRTError?
  }

  /// The folder of the entries.
  public let directory: String
  /// The limit of the total size in bytes; the least recently used entries are deleted first.
  public let limit: Int

  /// Makes a cache in a folder, which is created when needed; for nil `executables` in the
  /// program's cache folder.
  public init(directory: String? = nil, limit: Int = 4 << 30) {
    self.directory = directory ?? cacheDirectory() + "/executables"
    self.limit = limit
  }

  /// Loads a program, or compiles and stores it.
  ///
  /// A program that cannot be stored is not an error: the report says why, and it is compiled again
  /// the next time.
  ///
  /// - Throws: the plugin's error where the program does not compile.
  public func executable(
    for program: String, _ signature: Signature, on client: Client,
    options: CompileOptions = CompileOptions()
  ) throws -> (executable: Executable, report: Report) {
    try options.check(client)
    let clock = ContinuousClock()
    let start = clock.now
    let path = path(for: program, client, options)
    let exists = FileManager.default.fileExists(atPath: path)
    func report(_ wasCached: Bool, _ problem: PJRTError?) -> Report {
      Report(
        wasCached: wasCached, seconds: (clock.now - start) / .seconds(1), path: path,
        wasDamaged: exists && !wasCached, problem: problem)
    }
    if let bytes = Self.read(path), let executable = try? client.load(bytes, signature) {
      // The date tells which entries were used recently.
      try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: path)
      return (executable, report(true, nil))
    }
    let executable = try client.compile(program, signature, options: options)
    var problem: PJRTError?
    do {
      try store(executable, at: path)
    } catch let error as PJRTError {
      problem = error
    }
    return (executable, report(false, problem))
  }

  /// Writes a program's entry atomically, and deletes old entries beyond the limit.
  ///
  /// - Throws: `PJRTError.cacheUnwritable`, or the plugin's error where it cannot serialize.
  func store(_ executable: Executable, at path: String) throws {
    let bytes = try executable.serialized()
    let file = FileKind.programMagic + ContentHash.of(bytes).bytes + bytes
    do {
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
      // A damaged entry may not look like a program any more, and could not be replaced.
      unlink(path)
      try StagedFile.write(file, to: path, as: .program)
    } catch FileError.unwritable(_, let reason) {
      throw PJRTError.cacheUnwritable(path: path, reason: reason)
    } catch {
      throw PJRTError.cacheUnwritable(path: path, reason: error.localizedDescription)
    }
    prune()
  }

  private func prune() {
    let keys: Set<URLResourceKey> = [.fileSizeKey, .contentModificationDateKey]
    let files =
      (try? FileManager.default.contentsOfDirectory(
        at: URL(fileURLWithPath: directory), includingPropertiesForKeys: Array(keys))) ?? []
    let entries = files.filter { Self.isName($0.lastPathComponent) }.compactMap { file in
      (try? file.resourceValues(forKeys: keys)).map {
        (file, size: $0.fileSize ?? 0, date: $0.contentModificationDate ?? .distantPast)
      }
    }
    var total = 0
    for (file, size, _) in entries.sorted(by: { $0.date > $1.date }) {
      total += size
      if total > limit { try? FileManager.default.removeItem(at: file) }
    }
  }

  private func path(for program: String, _ client: Client, _ options: CompileOptions) -> String {
    let plugin = try? FileManager.default.attributesOfItem(atPath: client.plugin.path)
    let modified = (plugin?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
    let facts =
      [
        client.plugin.path, "\(plugin?[.size] ?? 0)", "\(modified)",
        client.plugin.version.description, client.platformName, client.platformVersion,
        Self.processor,
        ProcessInfo.processInfo.environment["XLA_FLAGS"] ?? "",
      ] + client.devices.map { "\($0.id) \($0.kind)" }
    var key = options.serialized()
    for fact in facts + [program] {
      key += withUnsafeBytes(of: fact.utf8.count.littleEndian, Array.init)
      key += fact.utf8
    }
    return directory + "/" + ContentHash.of(key).text + ".xla"
  }

  /// Whether a file's name is that of an entry: 32 hexadecimal digits and an extension.
  private static func isName(_ name: String) -> Bool {
    name.hasSuffix(".xla") && name.utf8.count == 36
      && name.dropLast(4).allSatisfy { "0123456789abcdef".contains($0) }
  }

  /// The bytes of an entry, or nil where it is missing or damaged.
  private static func read(_ path: String) -> [UInt8]? {
    guard let file = FileManager.default.contents(atPath: path) else { return nil }
    let start = FileKind.programMagic.count + 16
    guard file.count > start, file.starts(with: FileKind.programMagic) else { return nil }
    let bytes = [UInt8](file.dropFirst(start))
    return ContentHash.of(bytes).bytes.elementsEqual(file[FileKind.programMagic.count..<start])
      ? bytes : nil
  }

  /// The processor's name and features: machine code for one may not run on another.
  private static let processor: String = {
    let description = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let end = description.range(of: "\n\n")?.lowerBound ?? description.endIndex
    return description[..<end].split(separator: "\n")
      .filter { line in
        ["model name", "flags", "Features", "CPU part"].contains(where: line.hasPrefix)
      }
      .joined(separator: "\n")
  }()
}
