import Foundation
import TestSupport
import Testing

@testable import ONNXRuntime

@Suite struct ONNXLibraryTests {
  @Test func otherFilesThanTheLibraryAreNamed() throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/text.so"
    #expect(throws: ONNXError.notONNXRuntime(path: file, reason: .missing)) {
      try ONNXLibrary.load(file)
    }
    try Data("no library".utf8).write(to: URL(fileURLWithPath: file))
    let error = #expect(throws: ONNXError.self) { try ONNXLibrary.load(file) }
    for hint in ["text.so", "cannot be loaded", "scripts/fetch-ocr", "TWINFLOW_ONNXRUNTIME"] {
      #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
    }
    let folders = ["/usr/lib", "/lib"].flatMap { root in
      ["x86_64", "aarch64"].map { "\(root)/\($0)-linux-gnu/libz.so.1" }
    }
    let other = try #require(
      (folders + ["/usr/lib64/libz.so.1"]).first(where: FileManager.default.fileExists))
    let path = URL(fileURLWithPath: other).resolvingSymlinksInPath().path
    #expect(throws: ONNXError.notONNXRuntime(path: path, reason: .noEntryPoint)) {
      try ONNXLibrary.load(other)
    }
  }

  @Test(.enabled(if: ONNXFiles.library != nil, "ONNX Runtime is not fetched"))
  func aVersionThatIsNotThereIsNamed() throws {
    let path = ONNXFiles.library!
    let library = try ONNXLibrary.load(path)
    #expect(try ONNXLibrary.load(path) === library)
    #expect(
      throws: ONNXError.versionMismatch(path: path, found: library.version, needed: 9999)
    ) { try ONNXLibrary(path, interface: 9999) }
  }
}

@Suite(.enabled(if: ONNXFiles.library != nil, "ONNX Runtime is not fetched"))
struct ONNXSessionTests {
  private let folder: TemporaryFolder
  private let library: ONNXLibrary

  init() throws {
    folder = try TemporaryFolder()
    library = try ONNXLibrary.load(ONNXFiles.library!)
  }

  private func path(_ model: ONNXModel) throws -> String {
    let path = folder.path + "/model.onnx"
    try model.write(to: path)
    return path
  }

  @Test func networksAreDescribedAndComputed() throws {
    let model = ONNXModel(
      [.init("ReduceMax", [("axes", [2])]), .init("Neg")], input: [nil, 2, 3],
      output: [nil, 2, 1], metadata: [("key", "a\nb"), ("other", "")])
    let session = try ONNXSession(path(model), by: library)
    #expect(session.inputs == [.init(name: "v0", shape: [nil, 2, 3])])
    #expect(session.outputs == [.init(name: "v2", shape: [nil, 2, 1])])
    #expect(try session.metadata("key") == "a\nb" && session.metadata("none") == nil)
    let values: [Float] = [1, 5, 2, -3, -1, -2, 0, 0, 0, 9, 8, 7]
    let found = try session(.init(shape: [2, 2, 3], values: values))
    #expect(found.shape == [2, 2, 1] && found.values == [-5, 1, 0, -9])
    let error = #expect(throws: ONNXError.self) {
      try session(.init(shape: [1, 3, 3], values: [Float](repeating: 0, count: 9)))
    }
    #expect(error?.description.contains("a run of \(session.path)") == true)
    #expect(error?.description.contains("\n") == false)
  }

  @Test func damagedFilesAreNamed() throws {
    let model = ONNXModel([.init("Neg")], input: [nil, 2], output: [nil, 2])
    let place = try path(model)
    let unknown = folder.path + "/unknown.onnx"
    try ONNXModel([.init("Nonsense")], input: [2], output: [2]).write(to: unknown)
    let cut = folder.path + "/cut.onnx"
    try Data(model.bytes.dropLast(20)).write(to: URL(fileURLWithPath: cut))
    for damaged in [cut, unknown, folder.path + "/missing.onnx"] {
      let error = #expect(throws: ONNXError.self) { try ONNXSession(damaged, by: library) }
      guard case .unreadableModel(damaged, _) = error else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
    #expect(try ONNXSession(place, by: library).inputs.count == 1)
  }
}
