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
      linkerSettings: [.linkedLibrary("jemalloc", .when(platforms: [.linux]))]),
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
    .target(name: "Weights", dependencies: ["Files", "PJRT", "Tensors", "Layers"]),
    .target(name: "Flow", dependencies: ["Tensors", "Recipe"]),
    .target(
      name: "Models", dependencies: ["Files", "Tensors", "Recipe", "Layers", "Weights", "Flow"]),

    .target(
      name: "Golden",
      dependencies: ["Tensors", "Layers", "Optimizers", "Weights", "Flow", "Models"]),

    // Data in, pictures and figures out.
    .target(name: "Datasets", dependencies: ["CZlib", "Files"]),
    .target(name: "Pictures", dependencies: ["CCairo", "CPNG", "Files"]),
    .target(
      name: "Training",
      dependencies: [
        "Files", "Tensors", "Processes", "Recipe", "Layers", "Optimizers", "Weights", "Flow",
        "Models", "Datasets",
      ]),
    .target(
      name: "Evaluation",
      dependencies: [
        "CLAPACKE", "Files", "Tensors", "Recipe", "Layers", "Weights", "Flow", "Models", "Datasets",
        "Training",
      ]),
    .executableTarget(
      name: "twinflow",
      dependencies: [
        "CSystem", "Files", "Tensors", "Processes", "Recipe", "Layers", "Weights", "Flow", "Models",
        "Golden", "Datasets", "Pictures", "Training", "Evaluation",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(
      name: "twinflow-bench",
      dependencies: [
        "Tensors", "Recipe", "Layers", "Optimizers", "Flow", "Models", "Training",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Benchmarks/Steps"),

    // What tests share, and the tests.
    .target(name: "TestSupport", dependencies: ["PJRT", "Tensors"], path: "Tests/Support"),
    .testTarget(name: "PJRTTests", dependencies: ["CPJRT", "PJRT"]),
    .testTarget(name: "ProcessesTests", dependencies: ["PJRT", "Processes"]),
    .testTarget(name: "FilesTests", dependencies: ["CFiles", "Files"]),
    .testTarget(
      name: "WeightsTests",
      dependencies: ["Files", "PJRT", "Tensors", "Layers", "Weights", "TestSupport"]),
    .testTarget(name: "DatasetsTests", dependencies: ["CZlib", "Files", "Datasets"]),
    .testTarget(name: "PicturesTests", dependencies: ["Files", "Pictures"]),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "TestSupport"]),
    .testTarget(name: "LayersTests", dependencies: ["Tensors", "Layers", "TestSupport"]),
    .testTarget(name: "OptimizersTests", dependencies: ["Tensors", "Optimizers", "TestSupport"]),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Files", "PJRT", "Tensors", "Recipe", "Layers", "Weights", "Flow", "Models", "Datasets",
        "Training",
      ]),
    .testTarget(
      name: "EvaluationTests",
      dependencies: ["Tensors", "Recipe", "Weights", "Datasets", "Training", "Evaluation"]),
    .testTarget(name: "CommandTests", dependencies: ["twinflow", "Pictures", "Evaluation"]),
    .testTarget(name: "GoldenTests", dependencies: ["PJRT", "Golden"]),
    .testTarget(name: "RecipeTests", dependencies: ["Files", "Recipe"]),
    .testTarget(
      name: "FlowTests", dependencies: ["Tensors", "Recipe", "Layers", "Flow", "TestSupport"]),
    .testTarget(
      name: "ModelsTests",
      dependencies: [
        "Tensors", "Recipe", "Layers", "Weights", "Flow", "Models", "TestSupport",
      ]),
  ]
)
