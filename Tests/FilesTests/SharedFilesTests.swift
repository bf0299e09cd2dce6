import Foundation
import Testing

@testable import Files

@Suite final class SharedFilesTests {
  private let folder = NSTemporaryDirectory() + "shared-\(UUID().uuidString)"

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private func file(_ path: String) throws -> String {
    let place = "\(folder)/\(path)"
    try FileManager.default.createDirectory(
      atPath: URL(fileURLWithPath: place).deletingLastPathComponent().path,
      withIntermediateDirectories: true)
    try Data().write(to: URL(fileURLWithPath: place))
    return place
  }

  @Test func anInstalledProgramLooksBesideItsFolder() throws {
    let weights = try file("usr/share/twinflow/Assets/a.safetensors")
    let files = SharedFiles(environment: [:], executable: folder + "/usr/bin/twinflow")
    #expect(files.folders == [folder + "/usr/share/twinflow"])
    #expect(try files.path("Assets/a.safetensors") == weights)
    #expect(
      SharedFiles(environment: [:], executable: "/twinflow").folders == ["/share/twinflow"])
  }

  @Test func aBuiltProgramLooksInItsProject() throws {
    let weights = try file("project/Assets/a.safetensors")
    let executable = folder + "/project/.build/release/twinflow"
    #expect(throws: FileError.self) {
      try SharedFiles(environment: [:], executable: executable).path("Assets/a.safetensors")
    }
    _ = try file("project/Package.swift")
    let files = SharedFiles(environment: [:], executable: executable)
    #expect(files.folders.last == folder + "/project")
    #expect(try files.path("Assets/a.safetensors") == weights)
  }

  @Test func theVariableComesFirst() throws {
    let own = try file("own/Recipes/compare/own.yaml")
    _ = try file("usr/share/twinflow/Recipes/compare/own.yaml")
    let executable = folder + "/usr/bin/twinflow"
    let files = SharedFiles(
      environment: ["TWINFLOW_SHARE": "~/own", "HOME": folder], executable: executable)
    for name in ["compare/own", "compare/own.yaml", "Recipes/compare/own.yaml"] {
      #expect(try files.recipe(name) == own)
    }
    let unset = SharedFiles(environment: ["TWINFLOW_SHARE": ""], executable: executable)
    #expect(unset.folders == [folder + "/usr/share/twinflow"])
  }

  /// Tests run in the project's root, which has folders but no recipes of these names.
  @Test func aFolderIsNoRecipe() throws {
    let recipe = try file("Recipes/Sources.yaml")
    let files = SharedFiles(environment: ["TWINFLOW_SHARE": folder], executable: nil)
    #expect(try files.recipe("Sources") == recipe)
    #expect(try files.recipe("Tests") == "Tests")
  }

  @Test func weightsInSeveralFilesAreFound() throws {
    _ = try file("Assets/a.safetensors.index.json")
    let files = SharedFiles(environment: ["TWINFLOW_SHARE": folder], executable: nil)
    #expect(try files.path("Assets/a.safetensors") == folder + "/Assets/a.safetensors")
  }

  /// Other names are left to whoever reads the file.
  @Test(arguments: ["weights.safetensors", "./Assets/a", "/Assets/a", "../Recipes/a", "Assets", ""])
  func otherPathsStayAsTheyAre(name: String) throws {
    let files = SharedFiles(environment: [:], executable: "/usr/bin/twinflow")
    #expect(try files.path(name) == name)
  }

  @Test(arguments: ["./points", "/dev/stdin", "../points.yaml", "~user/points.yaml", "", "a\0b"])
  func otherRecipesStayAsTheyAre(name: String) throws {
    let files = SharedFiles(environment: [:], executable: "/usr/bin/twinflow")
    #expect(try files.recipe(name) == name)
  }

  @Test func theErrorNamesEveryPlace() throws {
    let files = SharedFiles(
      environment: ["TWINFLOW_SHARE": "/first"], executable: "/second/bin/twinflow")
    let here = FileManager.default.currentDirectoryPath
    #expect(
      throws: FileError.notFound(
        name: "compare/none",
        places: [
          here + "/compare/none", "/first/Recipes/compare/none.yaml",
          "/second/share/twinflow/Recipes/compare/none.yaml",
        ])
    ) { try files.recipe("compare/none") }
    let error = #expect(throws: FileError.self) { try files.path("Assets/none") }
    let text = try #require(error?.description)
    for part in ["\(here)/Assets/none", "/first/Assets/none", "TWINFLOW_SHARE"] {
      #expect(text.contains(part))
    }
  }
}
