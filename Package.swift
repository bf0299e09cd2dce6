// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "twinflow",
  products: [
    .executable(name: "twinflow", targets: ["twinflow"]),
    .library(name: "TwinFlow", targets: ["Flow", "Models", "Training", "Evaluation"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // Libraries of the system, and what C alone can say.
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CCairo", pkgConfig: "cairo", providers: [.apt(["libcairo2-dev"])]),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(name: "CLAPACKE", providers: [.apt(["liblapacke-dev"])]),
    .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
    .target(name: "CPNG", linkerSettings: [.linkedLibrary("png")]),
    .target(
      name: "CAllocator",
      linkerSettings: [.linkedLibrary(":libjemalloc.a", .when(platforms: [.linux]))]),
    .target(name: "CFiles"),
    .target(name: "CPJRT"),
    .target(name: "CSystem"),
    .target(name: "CKernels", dependencies: ["CPJRT"]),

    .target(name: "Files", dependencies: ["CFiles", "CXXHash"]),

    // The engine.
    .target(name: "PJRT", dependencies: ["CAllocator", "CPJRT", "CKernels", "CXXHash", "Files"]),
    .target(name: "Tensors", dependencies: ["PJRT"]),

    .target(name: "Processes", dependencies: ["PJRT", "Files", "CHiredis", "CSystem"]),

    // Networks and how they are trained.
    .target(name: "Recipe", dependencies: ["Files", "Yams"]),
    .target(name: "Layers", dependencies: ["Tensors"]),
    .target(name: "Optimizers", dependencies: ["Tensors"]),
    .target(name: "Weights", dependencies: ["Layers", "Files"]),
    .target(name: "Flow", dependencies: ["Tensors", "Recipe"]),
    .target(name: "Models", dependencies: ["Layers", "Flow", "Weights"]),

    .target(name: "Golden", dependencies: ["Flow", "Optimizers", "Weights"]),

    // Data in, pictures and figures out.
    .target(name: "Datasets", dependencies: ["CZlib", "Files"]),
    .target(name: "Pictures", dependencies: ["CCairo", "CPNG", "Files"]),
    .target(
      name: "Training", dependencies: ["Models", "Optimizers", "Weights", "Datasets", "Processes"]),
    .target(name: "Evaluation", dependencies: ["Training", "CLAPACKE"]),
    .executableTarget(
      name: "twinflow",
      dependencies: [
        "CSystem", "Evaluation", "Golden", "Pictures",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "twinflow-bench",
      dependencies: [
        "Training", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Benchmarks/Steps"),

    // What tests share, and the tests.
    .target(name: "TestSupport", dependencies: ["Tensors"], path: "Tests/Support"),
    .testTarget(name: "PJRTTests", dependencies: ["PJRT"]),
    .testTarget(name: "ProcessesTests", dependencies: ["Processes"]),
    .testTarget(name: "FilesTests", dependencies: ["Files", "CFiles"]),
    .testTarget(name: "WeightsTests", dependencies: ["Weights", "TestSupport"]),
    .testTarget(name: "DatasetsTests", dependencies: ["Datasets", "CZlib"]),
    .testTarget(name: "PicturesTests", dependencies: ["Pictures"]),
    .testTarget(name: "TensorsTests", dependencies: ["TestSupport"]),
    .testTarget(name: "LayersTests", dependencies: ["Layers", "TestSupport"]),
    .testTarget(name: "OptimizersTests", dependencies: ["Optimizers", "TestSupport"]),
    .testTarget(name: "TrainingTests", dependencies: ["Training"]),
    .testTarget(name: "EvaluationTests", dependencies: ["Evaluation"]),
    .testTarget(name: "CommandTests", dependencies: ["twinflow", "Evaluation", "Pictures"]),
    .testTarget(name: "GoldenTests", dependencies: ["Golden"]),
    .testTarget(name: "RecipeTests", dependencies: ["Files", "Recipe"]),
    .testTarget(
      name: "FlowTests",
      dependencies: ["Flow", "Layers", "Optimizers", "Recipe", "Weights", "TestSupport"]),
    .testTarget(name: "ModelsTests", dependencies: ["Models", "Layers", "Recipe", "TestSupport"]),
  ]
)
